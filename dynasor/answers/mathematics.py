"""Answers that are numbers, expressions, sets and intervals."""

from dynasor.answers.extract import extract
from dynasor.answers.normalize import normalize
from dynasor.answers.reading import Reading
from dynasor.answers.surface import plain
from dynasor.answers.symbolic import canonical

MATH = Reading(find=extract, quick=normalize, key=canonical, rough=plain)
