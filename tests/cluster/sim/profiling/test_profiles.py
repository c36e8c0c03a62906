"""The profiles that ship."""

import pytest

from cluster.sim.profile import PROFILES, read_profile
from cluster.sim.profiling.published import PUBLISHED, profile_of

NAMES = sorted(file.stem for file in PROFILES.glob("*.json"))


@pytest.mark.parametrize("name", NAMES)
def test_it_can_be_read_under_its_name(name):
    profile = read_profile(name)
    assert profile.name == name
    assert profile.notes


@pytest.mark.parametrize("name", NAMES)
def test_what_was_published_says_so(name):
    profile = read_profile(name)
    assert (profile.source == "published") == name.startswith("published_")
    if profile.source == "published":
        assert profile.notes.startswith("NOT MEASURED")
    else:
        assert "profile-engine" in profile.command
        assert {"dynasor", "python"} <= profile.versions.keys()


@pytest.mark.parametrize("figures", PUBLISHED, ids=lambda figures: figures.name)
def test_a_published_profile_follows_from_its_figures(figures):
    assert profile_of(figures) == read_profile(figures.name)


@pytest.mark.parametrize("figures", PUBLISHED, ids=lambda figures: figures.name)
def test_a_published_profile_explains_its_figures(figures):
    assert profile_of(figures).errors["published rows worst"] < 0.1


def test_the_cpu_profile_is_of_the_bundled_model():
    profile = read_profile("cpu_abacus")
    assert profile.model == "abacus"
    assert profile.reward is not None
    assert profile.replicas_per_host == 2
    assert profile.crowding > 0


def test_an_unknown_profile_is_refused_with_those_that_ship():
    with pytest.raises(ValueError, match=f"'nothing'; known: .*{NAMES[0]}"):
        read_profile("nothing")
