"""The shipped device profiles: each holds, and no phone fits two."""

import pytest

from edgesr.bench.delegates import delegate_names
from edgesr.config import parse_config
from edgesr.device.profile import Profile, host_profile, phone_profiles, profile_for
from edgesr.errors import ConfigError

# profile -> what phones say as ro.product.model, ro.product.device or ro.soc.model; "MODEL, SOC"
# where it takes two
SAMPLES = {
    "pixel-6": ["Pixel 6", "Pixel 6 Pro", "Pixel 6a"],
    "pixel-7": ["Pixel 7", "Pixel 7 Pro", "Pixel 7a"],
    "pixel-8": ["Pixel 8", "Pixel 8 Pro", "Pixel 8a"],
    "pixel-9": ["Pixel 9", "Pixel 9 Pro", "Pixel 9 Pro XL", "Pixel 9a"],
    "galaxy-s21": ["SM-G991U", "SM-G996U1", "SM-G998W", "SM-G9910"],
    "galaxy-s21-exynos": ["SM-G991B", "SM-G996B", "SM-G998N"],
    "galaxy-s22": ["SM-S901U", "SM-S901E", "SM-S906N", "SM-S908U1", "SM-S9080"],
    "galaxy-s22-exynos": ["SM-S901B", "SM-S906B", "SM-S908B"],
    "galaxy-s23": ["SM-S911B", "SM-S916N", "SM-S918U", "SM-S9180"],
    "galaxy-s24": ["SM-S921U", "SM-S926W", "SM-S928B", "SM-S928N", "SM-S9280"],
    "galaxy-s24-exynos": ["SM-S921B", "SM-S926N"],
    "galaxy-a14": ["SM-A145F", "SM-A145P"],
    "galaxy-a14-5g": ["SM-A146B", "SM-A146M"],
    "galaxy-a14-5g-mediatek": ["SM-A146P, MT6833V/NZA", "SM-A146U1, MT6833V"],
    "galaxy-a21s": ["SM-A217F"],
    "galaxy-a52": ["SM-A525F", "SM-A525M"],
    "moto-g-power-2021": ["moto g power (2021)"],
    "redmi-12c": ["earth"],
    "redmi-note-11": ["spes", "spesn"],
    "redmi-note-12": ["tapas", "topaz"],
    "qcs8550": ["QCS8550"],
    "unlisted": [
        "Pixel 5", "Pixel 9 Pro Fold", "SM-S711B", "SM-G990B", "SM-A526B", "SM-A146U",
        "moto g power (2022)", "XPixel 7", "",
    ],
}  # fmt: skip
SAID = [(slug, said) for slug, names in SAMPLES.items() for said in names]


def properties(said: str) -> dict[str, str]:
    model, _, soc = said.partition(", ")
    return {"ro.product.model": model, "ro.product.device": model, "ro.soc.model": soc or model}


@pytest.mark.parametrize(("slug", "said"), SAID)
def test_each_phone_fits_one_profile_at_most(slug: str, said: str) -> None:
    fitting = [profile.slug for profile in phone_profiles() if profile.fits(properties(said))]
    assert fitting == ([] if slug == "unlisted" else [slug])
    assert profile_for(properties(said)).slug == slug


def test_every_profile_holds() -> None:
    assert {profile.slug for profile in phone_profiles()} == set(SAMPLES) - {"unlisted"}
    for profile in phone_profiles():
        assert profile.match, profile.slug
        assert profile.listed
        assert profile.cores, profile.slug
        assert delegate_names(profile.delegates) == profile.delegates
        if profile.big_core_mask is not None:
            mask = int(profile.big_core_mask, 16)
            assert 0 < mask < 1 << profile.cores, profile.slug
            assert mask != (1 << profile.cores) - 1, "every core is none in particular"


def test_an_unlisted_phone_is_marked_and_measured() -> None:
    phone = profile_for({"ro.product.model": "Fairphone 5"})
    assert (phone.name, phone.slug, phone.listed) == ("Fairphone 5", "unlisted", False)
    assert "gpu" in phone.delegates
    assert profile_for({}).name == "unknown phone"


def test_the_profile_with_more_rules_wins() -> None:
    wide = Profile(name="w", slug="w", match={"a": "x.*"})
    narrow = Profile(name="n", slug="n", match={"a": "x1", "b": "Y"})
    assert profile_for({"a": "x1", "b": "y"}, [narrow, wide]).slug == "n"
    assert profile_for({"a": "x1"}, [narrow, wide]).slug == "w"
    assert not Profile(name="host").fits({"a": "x1"})


@pytest.mark.parametrize(
    "wrong",
    [{"big_core_mask": "0xf0"}, {"big_core_mask": "F0"}, {"match": {"a": "("}}, {"colour": "red"}],
)
def test_a_profile_that_does_not_hold(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        parse_config({"name": "x", **wrong}, Profile, source="x.toml")


def test_the_host_has_limits_of_its_own() -> None:
    assert (host_profile().slug, host_profile().limits.temperature_c) == ("host", 90)
