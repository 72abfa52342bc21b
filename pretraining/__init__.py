"""The recipe of the embedded BERT: text in, model directory out.

The order of the commands is in ``docs/pretraining.md``:
``python -m pretraining.train``, ``python -m pretraining.export``, ``python -m pretraining.evaluate``.
"""
