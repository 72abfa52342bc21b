"""The pieces of a prompt with gaps, by way of the same text with words in them."""

from typing import Any

FILLER = "to"
"""A word that every tiny tokenizer makes one piece of after a space, and that stands in no prompt."""


def masked_ids(tokenizer: Any, prompt: str) -> list[int]:
    """The prompt after another word, its gaps filled, and then the fillers' pieces replaced by the mask."""

    def inside(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    (filler,) = inside(f"xx {FILLER}")[len(inside("xx")) :]
    pieces = inside("xx " + prompt.replace("[MASK]", FILLER))[len(inside("xx")) :]
    around = tokenizer("xx")["input_ids"]
    return [
        around[0],
        *(tokenizer.mask_token_id if piece == filler else piece for piece in pieces),
        around[-1],
    ]
