"""A task of lmms-eval in the form of V*'s: one image, one question, 16 tokens."""

from PIL import Image


def visual(doc):
    return [Image.open(doc["image"]).convert("RGB")]


def text(doc, kwargs=None):
    return doc["question"]


def process(doc, results):
    return {"exact": float(results[0].strip() == doc["answer"])}
