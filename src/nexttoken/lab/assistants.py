"""Three answers as a coding assistant gives them, each with one typical mistake, for the checks to find.

They were written for this course. Each runs, reads well, and is sure of itself.
"""

ANSWERS = {
    "autoregression.keep_top_p": '''\
Here is a clean, fully vectorised implementation of nucleus (top-p) filtering:

```python
import torch

def keep_top_p(logits, p):
    """Keep the smallest set of tokens whose cumulative probability reaches p."""
    if p >= 1.0:
        return logits.clone()  # nothing to filter
    # A stable sort, so that ties go to the lower index.
    sorted_logits, order = torch.sort(logits, dim=-1, descending=True, stable=True)
    cumulative = torch.softmax(sorted_logits, dim=-1).cumsum(dim=-1)

    # Remove everything once the cumulative probability exceeds p.
    remove_sorted = cumulative > p
    remove_sorted[..., 0] = False  # always keep at least one token

    # Map the mask back to the original order of the vocabulary.
    remove = torch.zeros_like(remove_sorted).scatter(-1, order, remove_sorted)
    return logits.masked_fill(remove, float("-inf"))
```

It handles any batch shape, p = 0 and p = 1, and never modifies its input.
''',
    "transformer.adamw_update": """\
Sure! AdamW is Adam with weight decay. This version is functional, so the caller's tensors stay untouched:

```python
def adamw_update(parameter, gradient, mean, square, step, lr,
                 betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
    beta1, beta2 = betas

    # Apply weight decay (the "W" in AdamW).
    gradient = gradient + weight_decay * parameter

    # Update the biased first and second moments.
    mean = beta1 * mean + (1 - beta1) * gradient
    square = beta2 * square + (1 - beta2) * gradient * gradient

    # Bias correction: the moments start at zero.
    mean_hat = mean / (1 - beta1 ** step)
    square_hat = square / (1 - beta2 ** step)

    # Note that the uncorrected moments are returned, as the next step expects.
    return parameter - lr * mean_hat / (square_hat.sqrt() + eps), mean, square
```

I checked it against the formula in the paper: with `weight_decay=0` it is exactly Adam.
""",
    "sft.answer_loss": """\
For supervised fine-tuning, only the tokens of the answer should contribute
to the loss. The logits at position t predict token t + 1, so logits and
labels have to be shifted by one:

```python
import torch
import torch.nn.functional as F

def answer_loss(logits, ids, is_answer):
    # Shift so that position t predicts token t + 1.
    shift_logits = logits[:, :-1, :]
    shift_labels = ids[:, 1:]

    # Mask out the question; the last position predicts nothing.
    mask = is_answer[:, :-1]

    selected_logits = shift_logits[mask]
    selected_labels = shift_labels[mask]
    if selected_labels.numel() == 0:
        return logits.sum() * 0.0  # keep the graph alive for empty batches
    return F.cross_entropy(selected_logits, selected_labels)
```

This averages over answer tokens across the whole batch, which is the
standard choice.
""",
}
