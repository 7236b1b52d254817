"""What adding token losses assumes, in the reader's own words."""

from kdlib.exercises.kinds.written import point, written

what_summing_assumes = written(
    "what-summing-assumes",
    source=("Q12",),
    difficulty=2,
    minutes=6,
    prompt=(
        "The token losses of *The quick brown fox* are 0.1, 0.3, 0.2, 0.4. Give the loss of the "
        "sentence and its mean. Then explain in two to four sentences what adding them up assumes: "
        "what is each token's loss conditioned on, what may the tokens then be, and how much does "
        "each token weigh?"
    ),
    hints=(
        "The loss of a sentence is minus the logarithm of its probability. Which rule turns that "
        "probability into a product?",
        "Would the sum still be right if each token's loss came from its frequency alone?",
        "In the sum, is a wrong article cheaper than a wrong verb of the same probability?",
    ),
    model=(
        "The sentence has loss 1.0 and mean 0.25. Adding up assumes that each token's loss is that "
        "of the token given all tokens before it; then the chain rule makes the product of the "
        "probabilities that of the sentence. The tokens need not be independent. Every token "
        "weighs the same, and those before it are those of the given text, whatever the student "
        "would have written."
    ),
    rubric=(
        point(
            "Gives the mean, 0.25, beside the sum of 1.0.",
            misconception="mean-for-sum",
            found=0.25,
            without="The loss of the sentence is 1.0, and so is its mean over one sentence.",
        ),
        point(
            "Says that each loss is conditioned on all tokens before it (the chain rule).",
            misconception="chain-rule-forgotten",
            found=r"\bgiven (?:all |the )*(?:tokens|words|past|prefix|previous|preceding)|"
            r"\bchain rule|\bcondition\w+ on (?:all |the )*(?:\w+ )?(?:tokens|words|past|prefix)",
            without="Each loss depends on the token at its own position.",
        ),
        point(
            "Says that the tokens need not be independent of each other.",
            misconception="tokens-independent",
            found=r"\b(?:need not|not|do not have to|don't have to|without) (?:\w+ )?"
            r"(?:be |being |assumed |assuming )?(?:\w+ )?independen\w+",
            without="Adding up assumes that the tokens are independent of each other.",
        ),
        point(
            "Says that every token weighs the same.",
            misconception="weights-missing",
            found=r"\b(?:every|each|all) (?:tokens?|words?) (?:weighs?|counts?) (?:the same|alike)|"
            r"\bequal(?:ly)? (?:weight|weighted)|\bsame weight",
            without="A token weighs more if the sentence depends on it more.",
        ),
    ),
)
