"""Slide material: physics, biology, chemistry, astronomy."""

from edgesr.data.slide_content import Formula, PlotSpec, Subject, TableSpec

PHYSICS = Subject(
    course="Physics for Engineers",
    titles=(
        "Newton's laws of motion", "Work and energy", "Harmonic oscillators",
        "Waves and interference", "Maxwell's equations", "The laws of thermodynamics",
        "Special relativity", "The photoelectric effect", "Conservation of momentum",
        "Electric circuits", "Diffraction", "Fluids in motion",
    ),
    sentences=(
        "A body at rest stays at rest unless a net force acts on it.",
        "The work done equals the change in kinetic energy.",
        "Momentum is conserved in every isolated system.",
        "A pendulum swings harmonically only for small angles.",
        "Light behaves as a wave in interference experiments.",
        "Electric field lines start on positive and end on negative charges.",
        "A changing magnetic flux induces a voltage.",
        "Entropy of an isolated system never decreases.",
        "No engine is more efficient than a Carnot engine.",
        "Moving clocks run slow as seen from the laboratory.",
        "The energy of a photon is proportional to its frequency.",
        "Resistors in series carry the same current.",
        "Friction turns mechanical energy into heat.",
        "The centre of mass moves as if all forces acted there.",
        "Standing waves form when the length is a multiple of half a wavelength.",
        "Pressure in a fluid at rest grows linearly with depth.",
        "A narrow slit produces a wide diffraction pattern.",
        "The speed of light is the same in all inertial frames.",
        "Resonance occurs when the driving frequency meets the natural one.",
        "An ideal gas has no forces between its particles.",
        "Angular momentum is constant without external torque.",
        "Semiconductors conduct better at higher temperature.",
    ),
    terms=(
        "Source", "Detector", "Lens", "Capacitor", "Resistor", "Spring", "Mass", "Heat bath",
        "Turbine", "Laser", "Mirror", "Amplifier",
    ),
    formulas=(
        Formula(r"E = m c^2", "E = mc2", "Mass and energy are two names for the same thing."),
        Formula(r"F = G \, \dfrac{m_1 m_2}{r^2}", "F = G m1m2 / r2",
                "Gravity falls off with the square of the distance."),
        Formula(r"\dfrac{d^2 x}{dt^2} + \omega^2 x = 0", "d2x / dt2 + ω2x = 0",
                "The solutions are sines and cosines of the angular frequency."),
        Formula(r"p V = n R T", "pV = nRT",
                "Pressure, volume and temperature of an ideal gas are tied together."),
        Formula(r"\Delta x \, \Delta p \geq \dfrac{\hbar}{2}", "Δx Δp ≥ ħ / 2",
                "Position and momentum cannot both be sharp."),
    ),
    tables=(
        TableSpec(
            "Properties of materials at room temperature",
            ("Material", "Density (g/cm3)", "Conductivity", "Specific heat"),
            ("Copper", "Aluminium", "Iron", "Glass", "Water", "Silicon", "Silver", "Lead"),
            ((0.9, 19, 2), (0.01, 63, 2), (0.12, 4.2, 3)),
        ),
        TableSpec(
            "Results of the pendulum experiment",
            ("Run", "Length (m)", "Period (s)", "g (m/s2)"),
            ("1", "2", "3", "4", "5", "6", "7"),
            ((0.2, 2, 3), (0.9, 2.9, 3), (9.6, 9.95, 2)),
        ),
    ),
    plots=(
        PlotSpec("Damped oscillation", "Time (s)", "Displacement (cm)",
                 ("Weak damping", "Critical", "Strong damping"), ("Air", "Water", "Oil", "Honey")),
        PlotSpec("Characteristic curves", "Voltage (V)", "Current (mA)",
                 ("Resistor", "Diode", "Lamp"), ("Copper", "Gold", "Iron", "Zinc")),
    ),
    code=(
        ("dt = 0.01\n"
        "x, v = 1.0, 0.0\n"
        "omega = 2.0\n"
        "energy = []\n"
        "for step in range(1000):\n"
        "    a = -omega ** 2 * x\n"
        "    v = v + a * dt\n"
        "    x = x + v * dt\n"
        "    energy.append(0.5 * v ** 2 + 0.5 * (omega * x) ** 2)\n"
        "print(max(energy) - min(energy))"),
    ),
    definitions=(
        ("Inertia", "the resistance of a body to a change of its motion"),
        ("Wavelength", "the distance between two neighbouring crests"),
        ("Entropy", "a measure of the number of microscopic states"),
        ("Frequency", "the number of oscillations per second"),
        ("Torque", "force times lever arm"),
    ),
)  # fmt: skip

BIOLOGY = Subject(
    course="Foundations of Biology",
    titles=(
        "The structure of the cell", "From DNA to protein", "Photosynthesis",
        "Natural selection", "The immune system", "Cell division", "Enzymes as catalysts",
        "Ecosystems and energy flow", "The nervous system", "Inheritance and genetics",
        "The circulatory system", "Viruses",
    ),
    sentences=(
        "Every living organism consists of one or more cells.",
        "The nucleus holds the genetic information of the cell.",
        "Ribosomes translate messenger RNA into proteins.",
        "Mitochondria release energy from nutrients.",
        "Chloroplasts capture light and store it as sugar.",
        "Natural selection acts on differences between individuals.",
        "Mutations are random with respect to their usefulness.",
        "Enzymes lower the activation energy of reactions.",
        "Mitosis produces two genetically identical daughter cells.",
        "Meiosis halves the number of chromosomes.",
        "Antibodies bind to specific antigens.",
        "Memory cells make the second immune response faster.",
        "Neurons communicate across synapses by neurotransmitters.",
        "Only about ten percent of the energy passes to the next trophic level.",
        "Predators and prey oscillate in coupled cycles.",
        "Water moves through membranes by osmosis.",
        "Hormones travel through the blood to distant organs.",
        "Viruses need a host cell in order to multiply.",
        "Plants open their stomata to take up carbon dioxide.",
        "Genes on the same chromosome are often inherited together.",
        "The double helix is held together by hydrogen bonds.",
        "Biodiversity makes ecosystems more stable.",
    ),
    terms=(
        "Nucleus", "Ribosome", "DNA", "Messenger RNA", "Protein", "Cell membrane", "Producer",
        "Consumer", "Decomposer", "Antigen", "Antibody", "Receptor",
    ),
    formulas=(
        Formula(r"p^2 + 2pq + q^2 = 1", "p2 + 2pq + q2 = 1",
                "Allele frequencies stay constant in a large random mating population."),
        Formula(r"v = \dfrac{V_{max} \, [S]}{K_m + [S]}", "v = Vmax [S] / (Km + [S])",
                "The rate of an enzyme saturates at high substrate concentration."),
        Formula(r"6\,CO_2 + 6\,H_2O \rightarrow C_6H_{12}O_6 + 6\,O_2",
                "6CO2 + 6H2O → C6H12O6 + 6O2",
                "Photosynthesis builds sugar from carbon dioxide and water."),
        Formula(r"N(t) = N_0 \, e^{r t}", "N(t) = N0 ert",
                "Unlimited populations grow exponentially."),
    ),
    tables=(
        TableSpec(
            "Species counted along the transect",
            ("Species", "Spring", "Summer", "Autumn"),
            ("Blackbird", "Robin", "Blue tit", "House sparrow", "Swallow", "Starling",
             "Great tit", "Magpie"),
            ((2, 60, 0), (5, 90, 0), (0, 70, 0)),
        ),
        TableSpec(
            "Enzyme activity at different temperatures",
            ("Temperature", "Activity", "Half-life (h)", "Samples"),
            ("10 C", "20 C", "30 C", "37 C", "45 C", "55 C"),
            ((0.5, 9.8, 1), (0.2, 48, 1), (3, 12, 0)),
        ),
    ),
    plots=(
        PlotSpec("Population over time", "Time (days)", "Individuals",
                 ("Prey", "Predator", "Competitor"), ("Forest", "Meadow", "Lake", "Coast")),
    ),
    code=(
        ("codons = {\"AUG\": \"M\", \"UUU\": \"F\", \"UAA\": \"stop\"}\n"
        "\n"
        "def translate(rna):\n"
        "    start = rna.find(\"AUG\")\n"
        "    protein = []\n"
        "    for i in range(start, len(rna) - 2, 3):\n"
        "        amino = codons.get(rna[i:i + 3], \"X\")\n"
        "        if amino == \"stop\":\n"
        "            break\n"
        "        protein.append(amino)\n"
        "    return \"\".join(protein)"),
    ),
    definitions=(
        ("Allele", "one of several variants of a gene"),
        ("Homeostasis", "keeping the inner conditions of an organism constant"),
        ("Symbiosis", "a close and lasting relation between two species"),
        ("Phenotype", "the observable traits of an organism"),
        ("Habitat", "the place where a species lives"),
    ),
)  # fmt: skip

CHEMISTRY = Subject(
    course="General Chemistry",
    titles=(
        "The periodic table", "Chemical bonds", "Acids and bases", "Reaction kinetics",
        "Chemical equilibrium", "Redox reactions", "Organic functional groups",
        "Electrochemistry", "The mole concept", "Spectroscopy",
    ),
    sentences=(
        "Elements in one group have the same number of valence electrons.",
        "Covalent bonds share pairs of electrons between atoms.",
        "Ionic crystals are hard, brittle and melt at high temperature.",
        "Acids donate protons and bases accept them.",
        "A buffer keeps the pH nearly constant.",
        "Catalysts speed up both directions of a reaction.",
        "At equilibrium the forward and backward rates are equal.",
        "Oxidation is the loss of electrons.",
        "Noble gases hardly react because their shells are full.",
        "One mole contains as many particles as twelve grams of carbon have atoms.",
        "Polar molecules dissolve well in water.",
        "Reaction rates roughly double for every ten degrees.",
        "The limiting reagent determines the yield.",
        "Alkanes have only single bonds between carbon atoms.",
        "Electronegativity grows from left to right in a period.",
        "Exothermic reactions release heat to the surroundings.",
        "Chromatography separates substances by their affinity.",
        "A galvanic cell turns chemical into electrical energy.",
        "Isomers have the same formula and a different structure.",
        "Hydrogen bonds explain the high boiling point of water.",
    ),
    terms=(
        "Reactant", "Product", "Catalyst", "Anode", "Cathode", "Solvent", "Indicator",
        "Electrolyte", "Polymer", "Buffer", "Salt bridge", "Filter",
    ),
    formulas=(
        Formula(r"pH = -\log_{10} [H^{+}]", "pH = -log10 [H+]",
                "A change of one unit means a factor of ten in concentration."),
        Formula(r"k = A \, e^{-E_a / (R T)}", "k = A e-Ea/(RT)",
                "The rate constant grows steeply with temperature."),
        Formula(r"2\,H_2 + O_2 \rightarrow 2\,H_2O", "2H2 + O2 → 2H2O",
                "Hydrogen burns to water and releases much energy."),
        Formula(r"\Delta G = \Delta H - T \, \Delta S", "ΔG = ΔH - TΔS",
                "A process is spontaneous when the free energy decreases."),
    ),
    tables=(
        TableSpec(
            "Titration of an unknown acid",
            ("Sample", "Volume (ml)", "pH", "Yield (%)"),
            ("A1", "A2", "B1", "B2", "C1", "C2", "Blank"),
            ((4, 49, 2), (1.2, 12.8, 2), (40, 99, 1)),
        ),
    ),
    plots=(
        PlotSpec("Concentration during the reaction", "Time (min)", "Concentration (mol/l)",
                 ("Reactant", "Product", "Intermediate"), ("HCl", "NaOH", "KOH", "HNO3")),
    ),
    code=(
        ("R = 8.314\n"
        "\n"
        "def rate_constant(prefactor, activation, temperature):\n"
        "    exponent = -activation / (R * temperature)\n"
        "    return prefactor * math.exp(exponent)\n"
        "\n"
        "for t in range(280, 341, 10):\n"
        "    k = rate_constant(1e13, 75000, t)\n"
        "    print(t, round(k, 5))"),
    ),
    definitions=(
        ("Isotope", "an atom of the same element with another number of neutrons"),
        ("Molarity", "moles of solute per litre of solution"),
        ("Ligand", "a molecule or ion bound to a central atom"),
        ("Oxidation", "a loss of electrons"),
        ("Enthalpy", "the heat content at constant pressure"),
    ),
)  # fmt: skip

ASTRONOMY = Subject(
    course="Astronomy and Cosmology",
    titles=(
        "The solar system", "Life of a star", "Kepler's laws", "Galaxies", "Black holes",
        "The expanding universe", "Exoplanets", "Telescopes and detectors",
        "The cosmic microwave background", "Measuring distances",
    ),
    sentences=(
        "Planets move on ellipses with the Sun in one focus.",
        "Stars spend most of their life fusing hydrogen into helium.",
        "The colour of a star tells its surface temperature.",
        "Massive stars end in a supernova.",
        "Nothing, not even light, escapes from inside the horizon.",
        "Distant galaxies recede faster than near ones.",
        "Parallax gives the distance of nearby stars.",
        "Dark matter reveals itself only through gravity.",
        "A transit dims the star by a tiny fraction.",
        "Large mirrors collect more light and resolve finer detail.",
        "Spectral lines are shifted by the motion of the source.",
        "Comets consist of ice, dust and frozen gases.",
        "The Moon always shows the same face to the Earth.",
        "Neutron stars pack a solar mass into a city-sized ball.",
        "The background radiation has a temperature of 2.7 kelvin.",
        "Tides are caused by differences in gravitational pull.",
        "Cepheid variables serve as standard candles.",
        "The Milky Way is a barred spiral galaxy.",
        "Adaptive optics corrects for the turbulence of the air.",
        "Most exoplanets have been found by the transit method.",
    ),
    terms=(
        "Nebula", "Protostar", "Main sequence", "Red giant", "White dwarf", "Supernova",
        "Neutron star", "Black hole", "Telescope", "Spectrograph", "Camera", "Archive",
    ),
    formulas=(
        Formula(r"\dfrac{T^2}{a^3} = \dfrac{4 \pi^2}{G M}", "T2 / a3 = 4π2 / GM",
                "The period grows with the size of the orbit."),
        Formula(r"v = H_0 \, d", "v = H0 d", "Velocity is proportional to distance."),
        Formula(r"r_s = \dfrac{2 G M}{c^2}", "rs = 2GM / c2",
                "The Schwarzschild radius of the Sun is about three kilometres."),
        Formula(r"L = 4 \pi R^2 \sigma T^4", "L = 4πR2\u03c3T4",
                "Luminosity depends on radius and temperature."),
    ),
    tables=(
        TableSpec(
            "Orbits of selected planets and dwarf planets",
            ("Body", "Distance (AU)", "Period (yr)", "Moons"),
            ("Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune",
             "Pluto"),
            ((0.3, 39, 2), (0.2, 248, 1), (0, 95, 0)),
        ),
    ),
    plots=(
        PlotSpec("Light curve of a transit", "Time (hours)", "Relative flux",
                 ("Observed", "Model", "Residual"), ("Spiral", "Elliptical", "Lens", "Dwarf")),
    ),
    code=(
        ("def orbital_period(a, mass):\n"
        "    \"\"\"Period in seconds for a semi-major axis in metres.\"\"\"\n"
        "    mu = G * mass\n"
        "    return 2 * pi * sqrt(a ** 3 / mu)\n"
        "\n"
        "for name, a in planets.items():\n"
        "    years = orbital_period(a * AU, M_SUN) / YEAR\n"
        "    print(name, round(years, 2))"),
    ),
    definitions=(
        ("Parsec", "the distance at which one astronomical unit spans one arc second"),
        ("Redshift", "the stretching of light from receding sources"),
        ("Albedo", "the fraction of light that a surface reflects"),
        ("Transit", "the passage of a planet in front of its star"),
        ("Light year", "the distance light travels in one year"),
    ),
)  # fmt: skip
