"""Slide material: machine learning, linear algebra, algorithms, statistics."""

from edgesr.data.slide_content import Formula, PlotSpec, Subject, TableSpec

LEARNING = Subject(
    course="Introduction to Machine Learning",
    titles=(
        "What is machine learning?", "Gradient descent", "Overfitting and regularisation",
        "Convolutional networks", "The attention mechanism", "Backpropagation step by step",
        "Choosing a learning rate", "Evaluating a classifier", "Quantisation for mobile devices",
        "Decision trees and forests", "Support vector machines", "Representation learning",
    ),
    sentences=(
        "A model is a function with parameters that are fitted to data.",
        "The training loss measures how far predictions are from targets.",
        "Stochastic gradient descent uses a small random batch at every step.",
        "A learning rate that is too large makes the loss diverge.",
        "Validation data must never be used to update the weights.",
        "Early stopping keeps the checkpoint with the lowest validation loss.",
        "Dropout removes a random subset of units during training.",
        "Convolutions share weights across all positions of the image.",
        "Pooling layers reduce resolution and enlarge the receptive field.",
        "Residual connections let gradients flow through very deep networks.",
        "Batch normalisation depends on the statistics of the mini-batch.",
        "Attention computes a weighted average of value vectors.",
        "The softmax function turns scores into probabilities.",
        "Cross-entropy penalises confident mistakes most of all.",
        "Precision and recall trade off against each other as the threshold moves.",
        "A confusion matrix shows which classes are mistaken for one another.",
        "Data augmentation makes the model robust to shifts and flips.",
        "Weight decay pulls every parameter gently towards zero.",
        "Momentum averages past gradients and damps oscillations.",
        "Integer arithmetic is faster and needs less energy than floating point.",
        "Knowledge distillation trains a small student to imitate a large teacher.",
        "Features learned on one task often transfer to another.",
        "A random forest averages many trees grown on bootstrap samples.",
        "Kernel methods compare inputs without computing features explicitly.",
        "The bias of a simple model cannot be removed by more data.",
        "Report the mean and the spread over several random seeds.",
    ),
    terms=(
        "Input image", "Encoder", "Decoder", "Feature map", "Loss function", "Optimiser",
        "Training data", "Prediction", "Embedding", "Attention head", "Checkpoint", "Inference",
    ),
    formulas=(
        Formula(
            r"w_{t+1} = w_t - \eta \, \nabla L(w_t)", "wt+1 = wt - η ∇L(wt)",
            "The step size eta is called the learning rate.",
        ),
        Formula(
            r"p_i = \dfrac{e^{z_i}}{\sum_j e^{z_j}}", "pi = ezi / Σj ezj",
            "The scores z are called logits and the probabilities p add up to one.",
        ),
        Formula(
            r"L = -\sum_{i=1}^{n} y_i \, \log \, p_i", "L = - Σ yi log pi",
            "Here y is the target and p is the predicted probability.",
        ),
        Formula(
            r"\sigma(x) = \dfrac{1}{1 + e^{-x}}", "\u03c3(x) = 1 / (1 + e-x)",
            "The logistic function maps every real number into the unit interval.",
        ),
        Formula(
            r"J(w) = \Vert y - Xw \Vert^2 + \lambda \Vert w \Vert^2",
            "J(w) = ||y - Xw||2 + λ||w||2",
            "Larger values of lambda give smaller weights.",
        ),
    ),
    tables=(
        TableSpec(
            "Accuracy and size of image classifiers on the test set",
            ("Model", "Accuracy (%)", "Parameters (M)", "Latency (ms)"),
            ("Logistic regression", "Small CNN", "ResNet-18", "ResNet-50", "MobileNet",
             "EfficientNet", "Vision transformer", "Random forest"),
            ((61, 98, 1), (0.1, 86, 1), (0.4, 120, 1)),
        ),
        TableSpec(
            "Effect of the batch size after 20 epochs",
            ("Batch size", "Train loss", "Test loss", "Steps", "Time (s)"),
            ("16", "32", "64", "128", "256", "512"),
            ((0.05, 0.9, 3), (0.1, 1.2, 3), (200, 9000, 0), (40, 900, 0)),
        ),
    ),
    plots=(
        PlotSpec("Learning curves", "Epoch", "Loss",
                 ("Training", "Validation", "Baseline"), ("SGD", "Adam", "RMSprop", "Adagrad")),
        PlotSpec("Accuracy against model size", "Parameters (millions)", "Accuracy (%)",
                 ("Convolutional", "Transformer", "Hybrid"), ("fp32", "fp16", "int8", "int4")),
    ),
    code=(
        ("def train(model, loader, optimizer, epochs):\n"
        "    for epoch in range(epochs):\n"
        "        total = 0.0\n"
        "        for images, labels in loader:\n"
        "            optimizer.zero_grad()\n"
        "            loss = cross_entropy(model(images), labels)\n"
        "            loss.backward()\n"
        "            optimizer.step()\n"
        "            total += loss.item()\n"
        "        print(epoch, total / len(loader))\n"
        "    return model"),
        ("class Block(nn.Module):\n"
        "    def __init__(self, channels):\n"
        "        super().__init__()\n"
        "        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)\n"
        "        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)\n"
        "        self.act = nn.ReLU()\n"
        "\n"
        "    def forward(self, x):\n"
        "        y = self.act(self.conv1(x))\n"
        "        return x + self.conv2(y)"),
    ),
    definitions=(
        ("Overfitting", "the model explains noise in the training data and fails on new data"),
        ("Epoch", "one pass over the whole training set"),
        ("Hyperparameter", "a setting that is chosen before training starts"),
        ("Receptive field", "the part of the input that one output depends on"),
        ("Regularisation", "a change that lowers the test error, not the training error"),
        ("Fine-tuning", "training that starts from the weights of another task"),
    ),
)  # fmt: skip

ALGEBRA = Subject(
    course="Linear Algebra I",
    titles=(
        "Vector spaces", "Linear maps and matrices", "Gaussian elimination",
        "Eigenvalues and eigenvectors", "Determinants", "Inner products and norms",
        "The spectral theorem", "Orthogonal projections", "Change of basis",
        "Singular value decomposition", "Rank and nullity", "Systems of linear equations",
    ),
    sentences=(
        "A basis is a linearly independent set that spans the space.",
        "Every vector has unique coordinates with respect to a basis.",
        "The columns of a matrix are the images of the basis vectors.",
        "Matrix multiplication is composition of linear maps.",
        "A square matrix is invertible if and only if its determinant is not zero.",
        "Row operations do not change the solution set of a linear system.",
        "The rank equals the number of pivots in row echelon form.",
        "Eigenvectors of different eigenvalues are linearly independent.",
        "A symmetric real matrix has only real eigenvalues.",
        "Orthogonal matrices preserve lengths and angles.",
        "The kernel of a linear map is always a subspace.",
        "Two finite-dimensional spaces of equal dimension are isomorphic.",
        "The trace is the sum of the eigenvalues with multiplicity.",
        "Least squares projects the right-hand side onto the column space.",
        "The determinant measures how a map scales oriented volume.",
        "A matrix is diagonalisable when it has a basis of eigenvectors.",
        "The Gram-Schmidt process turns any basis into an orthonormal one.",
        "Similar matrices represent the same map in different bases.",
        "Every real matrix has a singular value decomposition.",
        "The triangle inequality follows from the Cauchy-Schwarz inequality.",
        "A linear system has either no, exactly one or infinitely many solutions.",
        "Nilpotent matrices have zero as their only eigenvalue.",
    ),
    terms=(
        "Vector space", "Basis", "Linear map", "Matrix", "Kernel", "Image", "Eigenvalue",
        "Projection", "Dual space", "Quotient", "Determinant", "Norm",
    ),
    formulas=(
        Formula(r"A v = \lambda v", "Av = λv",
                "A vector that is only stretched by the map is an eigenvector."),
        Formula(r"\dim V = \mathrm{rank}\, f + \dim \ker f", "dim V = rank f + dim ker f",
                "This is the rank-nullity theorem for finite-dimensional spaces."),
        Formula(r"A = U \Sigma V^{T}", "A = UΣVT",
                "The diagonal entries of Sigma are the singular values."),
        Formula(r"\left| \langle x, y \rangle \right| \leq \Vert x \Vert \, \Vert y \Vert",
                "|<x, y>| ≤ ||x|| ||y||",
                "Equality holds exactly when x and y are linearly dependent."),
        Formula(r"\det(AB) = \det(A) \, \det(B)", "det(AB) = det(A) det(B)",
                "The determinant is multiplicative."),
    ),
    tables=(
        TableSpec(
            "Cost of common matrix operations for growing size n",
            ("Operation", "n = 100", "n = 500", "n = 2000"),
            ("Matrix product", "LU decomposition", "QR decomposition", "Eigenvalues",
             "Singular values", "Inverse", "Cholesky factor"),
            ((0.1, 9, 2), (4, 90, 1), (100, 5000, 0)),
        ),
    ),
    plots=(
        PlotSpec("Convergence of the power method", "Iteration", "Error (log scale)",
                 ("Power method", "Inverse iteration", "QR algorithm"),
                 ("Jacobi", "Gauss-Seidel", "CG", "GMRES")),
    ),
    code=(
        ("def gaussian_elimination(a, b):\n"
        "    n = len(b)\n"
        "    for k in range(n):\n"
        "        pivot = max(range(k, n), key=lambda i: abs(a[i][k]))\n"
        "        a[k], a[pivot] = a[pivot], a[k]\n"
        "        b[k], b[pivot] = b[pivot], b[k]\n"
        "        for i in range(k + 1, n):\n"
        "            factor = a[i][k] / a[k][k]\n"
        "            for j in range(k, n):\n"
        "                a[i][j] -= factor * a[k][j]\n"
        "            b[i] -= factor * b[k]\n"
        "    return back_substitute(a, b)"),
        ("import numpy as np\n"
        "\n"
        "A = np.array([[4.0, 1.0], [2.0, 3.0]])\n"
        "values, vectors = np.linalg.eig(A)\n"
        "order = np.argsort(values)[::-1]\n"
        "for k in order:\n"
        "    v = vectors[:, k]\n"
        "    print(values[k], np.allclose(A @ v, values[k] * v))"),
    ),
    definitions=(
        ("Subspace", "a subset that is closed under addition and scaling"),
        ("Kernel", "all vectors that are mapped to zero"),
        ("Orthonormal", "of length one and pairwise perpendicular"),
        ("Isomorphism", "a linear map that has a linear inverse"),
        ("Eigenspace", "all eigenvectors of one eigenvalue together with zero"),
    ),
)  # fmt: skip

ALGORITHMS = Subject(
    course="Algorithms and Data Structures",
    titles=(
        "Binary search", "Sorting in linear time", "Hash tables", "Graph traversal",
        "Shortest paths", "Dynamic programming", "Balanced search trees", "Amortised analysis",
        "Greedy algorithms", "NP-completeness", "String matching", "Memory hierarchies",
    ),
    sentences=(
        "Binary search halves the interval at every step.",
        "Merge sort needs linear extra memory but is stable.",
        "Quicksort is fast on average and quadratic in the worst case.",
        "A hash table gives constant expected time for insert and find.",
        "Breadth-first search visits vertices in order of distance.",
        "Depth-first search finds cycles and topological orders.",
        "Dijkstra's algorithm requires non-negative edge weights.",
        "Dynamic programming stores the solutions of overlapping subproblems.",
        "A heap supports insert and extract-min in logarithmic time.",
        "Red-black trees stay balanced by recolouring and rotating.",
        "Greedy choices are safe only when an exchange argument holds.",
        "A reduction shows that one problem is at least as hard as another.",
        "Comparison sorting needs at least n log n comparisons.",
        "Cache misses often cost more than arithmetic operations.",
        "Union-find answers connectivity queries in nearly constant time.",
        "The invariant must hold before and after every iteration.",
        "Recursion depth is limited by the size of the call stack.",
        "Tries store strings by their common prefixes.",
        "A minimum spanning tree connects all vertices at least total cost.",
        "Randomised algorithms are fast with high probability on every input.",
        "Doubling the capacity makes appending cheap on average.",
        "Topological sorting is impossible in a graph with a cycle.",
    ),
    terms=(
        "Queue", "Stack", "Heap", "Hash table", "Graph", "Priority queue", "Linked list",
        "Binary tree", "Scheduler", "Parser", "Cache", "Index",
    ),
    formulas=(
        Formula(r"T(n) = 2\,T(n/2) + O(n)", "T(n) = 2T(n/2) + O(n)",
                "Merge sort splits the input in two halves and merges in linear time."),
        Formula(r"\sum_{k=1}^{n} k = \dfrac{n(n+1)}{2}", "Σ k = n(n+1) / 2",
                "This sum bounds the comparisons of insertion sort."),
        Formula(r"d(v) = \min_{u} \, [ d(u) + w(u, v) ]", "d(v) = min [d(u) + w(u, v)]",
                "The distance of v follows from the distances of its predecessors."),
        Formula(r"F_n = F_{n-1} + F_{n-2}", "Fn = Fn-1 + Fn-2",
                "Naive recursion takes exponential time, a table takes linear time."),
    ),
    tables=(
        TableSpec(
            "Measured time in milliseconds for random input",
            ("Algorithm", "n = 1000", "n = 10000", "n = 100000"),
            ("Insertion sort", "Merge sort", "Quicksort", "Heap sort", "Radix sort",
             "Shell sort", "Tim sort"),
            ((0.05, 2, 2), (0.5, 30, 1), (6, 900, 0)),
        ),
    ),
    plots=(
        PlotSpec("Running time of sorting algorithms", "Input size", "Time (ms)",
                 ("Merge sort", "Quicksort", "Heap sort"), ("Array", "List", "Tree", "Hash")),
    ),
    code=(
        ("def binary_search(items, target):\n"
        "    low, high = 0, len(items) - 1\n"
        "    while low <= high:\n"
        "        middle = (low + high) // 2\n"
        "        if items[middle] == target:\n"
        "            return middle\n"
        "        if items[middle] < target:\n"
        "            low = middle + 1\n"
        "        else:\n"
        "            high = middle - 1\n"
        "    return None"),
        ("def dijkstra(graph, source):\n"
        "    distance = {source: 0}\n"
        "    queue = [(0, source)]\n"
        "    while queue:\n"
        "        d, u = heappop(queue)\n"
        "        if d > distance[u]:\n"
        "            continue\n"
        "        for v, weight in graph[u]:\n"
        "            if d + weight < distance.get(v, INFINITY):\n"
        "                distance[v] = d + weight\n"
        "                heappush(queue, (distance[v], v))\n"
        "    return distance"),
        ("int partition(int *a, int low, int high) {\n"
        "    int pivot = a[high];\n"
        "    int i = low;\n"
        "    for (int j = low; j < high; j++) {\n"
        "        if (a[j] < pivot) {\n"
        "            swap(&a[i], &a[j]);\n"
        "            i++;\n"
        "        }\n"
        "    }\n"
        "    swap(&a[i], &a[high]);\n"
        "    return i;\n"
        "}"),
    ),
    definitions=(
        ("Invariant", "a statement that is true before and after every step"),
        ("Amortised cost", "the average cost per operation over any sequence"),
        ("Stable sort", "equal keys keep their order"),
        ("In-place", "using only a constant amount of extra memory"),
        ("Load factor", "the number of stored keys divided by the number of buckets"),
    ),
)  # fmt: skip

STATISTICS = Subject(
    course="Statistics for Scientists",
    titles=(
        "Random variables", "The normal distribution", "Confidence intervals",
        "Hypothesis testing", "Linear regression", "Bayes' theorem", "Sampling and bias",
        "Analysis of variance", "The central limit theorem", "Correlation is not causation",
    ),
    sentences=(
        "The median is less sensitive to outliers than the mean.",
        "A sample is useful only if it represents the population.",
        "The standard error shrinks with the square root of the sample size.",
        "A p-value is not the probability that the hypothesis is true.",
        "Confidence intervals say more than a yes or no decision.",
        "Correlation alone does not establish a cause.",
        "Residual plots reveal curvature and unequal variance.",
        "The normal distribution arises as a limit of sums.",
        "Testing many hypotheses inflates the false positive rate.",
        "Bayes' theorem updates a prior belief with new evidence.",
        "The bootstrap estimates uncertainty by resampling the data.",
        "Missing values are rarely missing at random.",
        "An unbiased estimator is correct on average.",
        "The variance of a sum of independent variables is the sum of variances.",
        "Randomisation protects against unknown confounders.",
        "Always plot the data before computing a summary.",
        "The power of a test grows with the effect size.",
        "A box plot shows the quartiles and marks the outliers.",
        "Log transforms often make skewed data symmetric.",
        "Effect sizes should be reported together with intervals.",
    ),
    terms=(
        "Population", "Sample", "Estimate", "Prior", "Likelihood", "Posterior", "Hypothesis",
        "Test statistic", "Decision", "Survey", "Experiment", "Model check",
    ),
    formulas=(
        Formula(r"P(A \,|\, B) = \dfrac{P(B \,|\, A) \, P(A)}{P(B)}",
                "P(A|B) = P(B|A) P(A) / P(B)",
                "The posterior is proportional to likelihood times prior."),
        Formula(r"\bar{x} = \dfrac{1}{n} \sum_{i=1}^{n} x_i", "x = 1/n Σ xi",
                "The sample mean estimates the expectation."),
        Formula(r"Z = \dfrac{\bar{x} - \mu}{\sigma / \sqrt{n}}", "Z = (x - μ) / (\u03c3/√n)",
                "For large n the statistic Z is approximately standard normal."),
        Formula(r"\mathrm{Var}(X) = E[X^2] - (E[X])^2", "Var(X) = E[X2] - (E[X])2",
                "The variance is the mean square minus the squared mean."),
    ),
    tables=(
        TableSpec(
            "Summary of the measurements by group",
            ("Group", "n", "Mean", "Std. dev.", "p-value"),
            ("Control", "Treatment A", "Treatment B", "Placebo", "Low dose", "High dose",
             "Follow-up"),
            ((12, 240, 0), (3, 48, 2), (0.4, 9, 2), (0.001, 0.6, 3)),
        ),
    ),
    plots=(
        PlotSpec("Coverage of intervals", "Sample size", "Coverage (%)",
                 ("Normal", "Bootstrap", "Exact"), ("2019", "2020", "2021", "2022", "2023")),
    ),
    code=(
        ("data <- read.csv(\"survey.csv\")\n"
        "fit <- lm(score ~ age + income, data = data)\n"
        "summary(fit)\n"
        "confint(fit, level = 0.95)\n"
        "\n"
        "means <- replicate(1000, {\n"
        "  rows <- sample(nrow(data), replace = TRUE)\n"
        "  mean(data$score[rows])\n"
        "})\n"
        "quantile(means, c(0.025, 0.975))"),
    ),
    definitions=(
        ("Estimator", "a function of the sample that approximates a parameter"),
        ("Significance level", "the accepted probability of a false positive"),
        ("Confounder", "a variable that influences both cause and outcome"),
        ("Quartile", "one of three values that cut the ordered data into four parts"),
        ("Outlier", "an observation far away from the others"),
    ),
)  # fmt: skip
