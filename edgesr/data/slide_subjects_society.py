"""Slide material: history, economics, linguistics."""

from edgesr.data.slide_content import Formula, PlotSpec, Subject, TableSpec

HISTORY = Subject(
    course="Europe and the World since 1500",
    titles=(
        "The printing press", "The French Revolution", "Industrialisation in Britain",
        "The Congress of Vienna", "Trade routes of the early modern age", "The Reformation",
        "The unification of Germany", "Decolonisation", "The Cold War", "Cities and plague",
        "The Enlightenment", "Migration in the nineteenth century",
    ),
    sentences=(
        "Movable type made books affordable for townspeople.",
        "Bread prices doubled in Paris before the summer of 1789.",
        "Steam engines first pumped water out of coal mines.",
        "Railways shortened the journey from days to hours.",
        "The peace of 1648 ended thirty years of war.",
        "Merchants from Venice and Genoa competed for the spice trade.",
        "The abolition of serfdom changed life in the countryside.",
        "Newspapers created a public that argued about politics.",
        "Silver from the Americas raised prices all over Europe.",
        "The census of 1851 counted more people in towns than in villages.",
        "Guilds controlled who could practise a craft.",
        "Universities spread the ideas of the reformers.",
        "The telegraph linked continents within minutes.",
        "Colonial borders ignored languages and trade networks.",
        "Women gained the vote in several countries after 1918.",
        "The wall divided the city from 1961 to 1989.",
        "Archives preserve the voice of officials more than that of peasants.",
        "A source must be read with its author and purpose in mind.",
        "Harvest failures were often followed by unrest.",
        "The treaty was signed by twelve states.",
        "Emigrants wrote letters that encouraged others to follow.",
        "Factories needed clocks, and clocks changed daily life.",
    ),
    terms=(
        "Parliament", "Monarchy", "Church", "Guild", "Merchants", "Peasants", "Assembly",
        "Constitution", "Empire", "Colony", "Treaty", "Reform",
    ),
    formulas=(
        Formula(r"1789 < 1815 < 1848 < 1871", "1789 < 1815 < 1848 < 1871",
                "Four dates that every student of the period should know."),
        Formula(r"1 \, \mathrm{pound} = 20 \, \mathrm{shillings} = 240 \, \mathrm{pence}",
                "1 pound = 20 shillings = 240 pence",
                "British money before the reform of 1971."),
    ),
    tables=(
        TableSpec(
            "Population of European cities in thousands",
            ("City", "1600", "1700", "1800", "1900"),
            ("London", "Paris", "Naples", "Vienna", "Lisbon", "Amsterdam", "Madrid", "Rome"),
            ((40, 210, 0), (60, 560, 0), (90, 950, 0), (300, 6500, 0)),
        ),
    ),
    plots=(
        PlotSpec("Railway length by country", "Year", "Length (1000 km)",
                 ("Britain", "France", "Prussia"), ("1840", "1850", "1860", "1870", "1880")),
    ),
    code=(
        ("SELECT city, year, population\n"
        "FROM census\n"
        "WHERE year BETWEEN 1800 AND 1900\n"
        "  AND population > 50000\n"
        "ORDER BY year, population DESC;\n"
        "\n"
        "SELECT year, SUM(population) AS total\n"
        "FROM census\n"
        "GROUP BY year\n"
        "HAVING COUNT(*) > 10;"),
    ),
    definitions=(
        ("Primary source", "a document from the time that is studied"),
        ("Mercantilism", "the policy of exporting more than one imports"),
        ("Estate", "a legally defined group of society"),
        ("Suffrage", "the right to vote"),
        ("Historiography", "the study of how history is written"),
    ),
)  # fmt: skip

ECONOMICS = Subject(
    course="Principles of Economics",
    titles=(
        "Supply and demand", "Elasticity", "Market failure", "Monetary policy",
        "Comparative advantage", "Inflation and unemployment", "Public goods",
        "Game theory", "Growth and productivity", "Taxes and incentives",
    ),
    sentences=(
        "Prices carry information about scarcity.",
        "Demand falls when the price rises, other things being equal.",
        "Both countries gain from trade if opportunity costs differ.",
        "A monopolist sells less at a higher price.",
        "External costs are not part of the market price.",
        "Central banks raise interest rates to slow inflation.",
        "Unemployment benefits act as an automatic stabiliser.",
        "Public goods invite free riding.",
        "A tax is paid by the side of the market that can avoid it least.",
        "Productivity growth is the main source of higher wages.",
        "Real income is nominal income divided by the price level.",
        "Sunk costs should not influence decisions.",
        "In equilibrium nobody gains by changing strategy alone.",
        "Diminishing returns set in when one factor is fixed.",
        "Expectations of inflation can become self-fulfilling.",
        "A price ceiling below equilibrium causes shortages.",
        "Diversification reduces risk without lowering expected return.",
        "Exchange rates react quickly to news.",
        "Gross domestic product leaves out unpaid work.",
        "Asymmetric information can make markets collapse.",
    ),
    terms=(
        "Households", "Firms", "Government", "Central bank", "Labour market", "Goods market",
        "Savings", "Investment", "Exports", "Imports", "Taxes", "Consumers",
    ),
    formulas=(
        Formula(r"Y = C + I + G + (X - M)", "Y = C + I + G + (X - M)",
                "Output equals consumption, investment, government and net exports."),
        Formula(r"M \, V = P \, Y", "MV = PY",
                "Money times velocity equals prices times output."),
        Formula(r"E_d = \dfrac{\Delta Q / Q}{\Delta P / P}", "Ed = ΔQ/Q / ΔP/P",
                "Demand is called elastic when the absolute value exceeds one."),
        Formula(r"FV = PV \, (1 + r)^n", "FV = PV (1 + r)n",
                "Compound interest over n periods at the rate r."),
    ),
    tables=(
        TableSpec(
            "Key indicators by country, last year",
            ("Country", "Growth (%)", "Inflation (%)", "Debt (% of GDP)"),
            ("Austria", "Brazil", "Canada", "Denmark", "Estonia", "France", "Japan", "Kenya",
             "Mexico", "Norway"),
            ((0.1, 6.5, 1), (0.4, 11.9, 1), (18, 240, 0)),
        ),
    ),
    plots=(
        PlotSpec("Inflation over the decade", "Quarter", "Rate (%)",
                 ("Euro area", "United States", "Japan"), ("Food", "Energy", "Rent", "Travel")),
        PlotSpec("Supply and demand", "Quantity", "Price",
                 ("Supply", "Demand", "Demand after tax"), ("North", "South", "East", "West")),
    ),
    code=(
        ("def present_value(payments, rate):\n"
        "    total = 0.0\n"
        "    for year, payment in enumerate(payments, start=1):\n"
        "        total += payment / (1 + rate) ** year\n"
        "    return total\n"
        "\n"
        "project = [-1000, 300, 420, 560]\n"
        "for rate in (0.02, 0.05, 0.10):\n"
        "    print(rate, round(present_value(project, rate), 2))"),
    ),
    definitions=(
        ("Opportunity cost", "the value of the best alternative forgone"),
        ("Externality", "an effect on people outside the transaction"),
        ("Liquidity", "how easily an asset can be turned into cash"),
        ("Marginal cost", "the cost of producing one more unit"),
        ("Oligopoly", "a market with only a few sellers"),
    ),
)  # fmt: skip

LINGUISTICS = Subject(
    course="Introduction to Linguistics",
    titles=(
        "What is grammar?", "Sounds and phonemes", "Word formation", "Syntax trees",
        "Meaning and reference", "Language change", "Language families",
        "How children learn to speak", "Writing systems", "Dialects and standards",
    ),
    sentences=(
        "A phoneme distinguishes one word from another.",
        "Every known language has nouns and verbs.",
        "Children learn rules that nobody has taught them.",
        "Word order in Latin is freer than in English.",
        "Loanwords adapt to the sounds of the new language.",
        "Sound change is regular and mostly without exceptions.",
        "Morphemes are the smallest units that carry meaning.",
        "The same sentence may have two different syntax trees.",
        "Dialects form a continuum without sharp borders.",
        "Writing was invented independently in several places.",
        "Pronouns often preserve older case forms.",
        "Context decides which meaning of a word is intended.",
        "Vowels are described by height, backness and rounding.",
        "A pidgin becomes a creole when children acquire it.",
        "Frequent words tend to be short.",
        "Sign languages have grammar like spoken languages.",
        "Spelling often reflects an older pronunciation.",
        "Metaphors shape how we talk about time.",
    ),
    terms=(
        "Sentence", "Noun phrase", "Verb phrase", "Determiner", "Speaker", "Listener", "Corpus",
        "Lexicon", "Grammar", "Phonology", "Semantics", "Discourse",
    ),
    formulas=(
        Formula(r"S \rightarrow NP \;\; VP", "S → NP VP",
                "A sentence consists of a noun phrase and a verb phrase."),
        Formula(r"f(r) = \dfrac{C}{r^{a}}", "f(r) = C / ra",
                "The frequency of a word falls with its rank."),
    ),
    tables=(
        TableSpec(
            "Speakers and word length by language",
            ("Language", "Speakers (M)", "Mean length", "Cases"),
            ("Finnish", "Turkish", "Swahili", "Basque", "Welsh", "Hungarian", "Icelandic",
             "Quechua"),
            ((0.4, 90, 1), (3.9, 9.2, 2), (0, 18, 0)),
        ),
    ),
    plots=(
        PlotSpec("Vocabulary growth of children", "Age (months)", "Words",
                 ("Child A", "Child B", "Mean"), ("Nouns", "Verbs", "Adverbs", "Particles")),
    ),
    code=(
        ("from collections import Counter\n"
        "\n"
        "def rank_words(path):\n"
        "    words = open(path).read().lower().split()\n"
        "    counts = Counter(words)\n"
        "    ranked = counts.most_common(20)\n"
        "    for rank, (word, count) in enumerate(ranked, 1):\n"
        "        print(rank, word, count)\n"
        "    return ranked"),
    ),
    definitions=(
        ("Phoneme", "the smallest unit of sound that distinguishes words"),
        ("Syntax", "the rules by which words form sentences"),
        ("Corpus", "a large collection of texts"),
        ("Cognate", "a word of common origin in another language"),
        ("Prefix", "a part put before the stem of a word"),
    ),
)  # fmt: skip
