"""Turns the text of a chain into an answer with a canonical key."""

from dynasor.answers.answer import Answer, answer_of, readable
from dynasor.answers.extract import extract
from dynasor.answers.normalize import normalize
from dynasor.answers.surface import plain
from dynasor.answers.symbolic import canonical

__all__ = ["Answer", "answer_of", "canonical", "extract", "normalize", "plain", "readable"]
