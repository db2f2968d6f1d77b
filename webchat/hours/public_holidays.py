"""Public holidays of countries and their regions, for staff to add to a plan as ordinary special days.

Asked in the admin alone: no update of the library may close a business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

from holidays import country_holidays, list_supported_countries
from holidays.registry import COUNTRIES

# What the library knows of most countries.
YEARS = (2000, 2099)


def countries() -> list[tuple[str, str]]:
    """Code and English name, sorted by name."""
    named = [(codes[0], re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)) for name, *codes in COUNTRIES.values()]
    return sorted(named, key=lambda one: one[1])


def regions(country: str) -> list[tuple[str, str]]:
    """Code and name of the regions that have holidays of their own."""
    names = {code: name for name, code in country_holidays(country).subdivisions_aliases.items()}
    codes = list_supported_countries(include_aliases=False)[country]
    return sorted(((code, names.get(code, code)) for code in codes), key=lambda one: one[1])


def languages(country: str) -> list[str]:
    """In which the names of its holidays are known, that of the country first. Empty where there is only one."""
    known = country_holidays(country)
    return sorted(known.supported_languages, key=lambda one: (one != known.default_language, one))


def names_in(country: str, region: str, year: int, codes: Iterable[str]) -> dict[date, dict[str, str]]:
    """The names of the days by language, of those languages among `codes` that the library knows for the country."""
    known = {code: each for code in codes for each in languages(country) if each.partition("_")[0] == code}
    names: dict[date, dict[str, str]] = {}
    for code, language in known.items():
        for day, name in holidays_of(country, region, year, language):
            names.setdefault(day, {})[code] = name
    return names


def holidays_of(country: str, region: str, year: int, language: str) -> list[tuple[date, str]]:
    """The days of a year with their names, as far as the library knows. `region` and `language` may be empty."""
    found = country_holidays(country, subdiv=region or None, years=year, language=language or None)
    return sorted(found.items())
