"""The hand-computed journals that every engine has to reproduce, row by row.

An engine is run through them so::

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
    def test_engine(case):
        assert rows_of(engine(case.settings, case.workload)) == case.rows
"""

from case_forms import Case, settings, workload
from cases_of_duty import AT_THE_CHANGE, DUTY
from cases_of_life import LIFE
from cases_of_lots import LOTS
from cases_of_serve import EVERYTHING, SERVE
from cases_of_ties import TIES
from cases_of_ways import WAYS

__all__ = ["CASES", "Case", "settings", "workload"]

CASES: list[Case] = [*LIFE, *LOTS, *TIES, *SERVE, *DUTY, *AT_THE_CHANGE, *WAYS, EVERYTHING]
