"""View sizes: grid, area, shape and smallest side, for every region and budget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hart_agent.vision.budget import ViewBudget
from hart_agent.vision.geometry import Size

REGIONS = st.builds(Size, st.integers(1, 30_000), st.integers(1, 20_000))


@st.composite
def budgets(draw: st.DrawFn) -> ViewBudget:
    """Budgets that can be kept: `min_side` on the grid, and room for a view of the smallest sides."""
    grid = draw(st.sampled_from([1, 14, 28, 32]))
    min_side = grid * draw(st.integers(1, 4))
    area = draw(st.integers(min_side**2, 4_000_000))
    return ViewBudget(area, grid, min_side, draw(st.floats(1, 200)), draw(st.floats(1, 8)))


@given(REGIONS, budgets())
def test_every_view_is_within_the_budget(region: Size, budget: ViewBudget) -> None:
    for view in (budget.fit(region), budget.magnify(region)):
        shorter, longer = sorted((view.width, view.height))
        assert view.width % budget.grid == view.height % budget.grid == 0
        assert view.area <= budget.max_pixels
        assert shorter >= budget.min_side
        assert longer <= max(shorter * budget.max_aspect, shorter) + 1e-6


@given(REGIONS, budgets())
def test_the_longer_side_stays_the_longer_side(region: Size, budget: ViewBudget) -> None:
    view = budget.fit(region)
    assert (view.width - view.height) * (region.width - region.height) >= 0


@given(st.integers(32, 2000), st.integers(32, 2000))
def test_a_region_that_fits_keeps_its_own_pixels(width: int, height: int) -> None:
    assert ViewBudget(max_pixels=4_000_000).fit(Size(width, height)) == Size(width, height)


@given(REGIONS, budgets())
def test_magnify_never_shows_less_than_fit(region: Size, budget: ViewBudget) -> None:
    assert budget.magnify(region).area >= budget.fit(region).area


@given(REGIONS)
def test_ordinary_regions_keep_their_shape(region: Size) -> None:
    view = ViewBudget(max_pixels=1_000_000, max_aspect=200, min_side=1).fit(region)
    scale = min(1.0, (1_000_000 / region.area) ** 0.5)
    if max(region.width, region.height) < 150 * min(region.width, region.height):
        assert abs(view.width - region.width * scale) <= 1 + region.width * scale * 0.05
        assert abs(view.height - region.height * scale) <= 1 + region.height * scale * 0.05


@pytest.mark.parametrize(
    ("budget", "region", "fit", "magnified"),
    [
        (ViewBudget(1_000_000), Size(4000, 4000), Size(1000, 1000), Size(1000, 1000)),
        (ViewBudget(1_000_000), Size(100, 50), Size(100, 50), Size(400, 200)),
        (ViewBudget(1_000_000), Size(800, 200), Size(800, 200), Size(2000, 500)),
        (ViewBudget(1_000_000), Size(8, 8), Size(32, 32), Size(32, 32)),
        (ViewBudget(28 * 28 * 100, grid=28, min_side=56), Size(280, 280), Size(280, 280), Size(280, 280)),
        (ViewBudget(28 * 28 * 100, grid=28, min_side=56), Size(70, 140), Size(84, 140), Size(196, 392)),
        # A region of an extreme shape is stretched: 300 : 1 becomes 100 : 1.
        (ViewBudget(1_000_000), Size(9000, 30), Size(9000, 90), Size(10_000, 100)),
        (ViewBudget(1_000_000), Size(3, 2000), Size(32, 3200), Size(80, 8000)),
    ],
)
def test_sizes_worked_by_hand(budget: ViewBudget, region: Size, fit: Size, magnified: Size) -> None:
    assert budget.fit(region) == fit
    assert budget.magnify(region) == magnified


def test_a_budget_below_one_grid_cell_still_gives_one_cell() -> None:
    """The one case in which the area can't be kept: no view is smaller than a cell of the grid."""
    assert ViewBudget(max_pixels=100, grid=28).fit(Size(500, 500)) == Size(28, 28)
