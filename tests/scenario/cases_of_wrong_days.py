"""What can be wrong with days and hours that differ, as in ``cases_of_wrong_scenarios``."""

SHARES = 'write 24 numbers from 0 to 1 or texts such as "5%", for 0-1 h, 1-2 h and so on to 23-24 h'
FACTORS = "write 24 numbers such as 1 (as usual) or 1.5 (half as long again), for 0-1 h, 1-2 h and so on to 23-24 h"
LONG = f"{str([0.6] * 24)[:61]}...: "

WRONG_DAYS = [
    (
        'rate = "90/h"',
        'rate = "90/h"\nbusy_days = 0.15',
        "line 8: arrivals.busy_days = 0.15: must be a table; write busy_days = { cv = 0.15 }",
    ),
    (
        'rate = "90/h"',
        'rate = "90/h"\nbusy_days = {}',
        "line 8: arrivals.busy_days.cv: is missing; add cv = ... to arrivals.busy_days",
    ),
    (
        'rate = "90/h"',
        'rate = "90/h"\nbusy_days = { vc = 0.15 }',
        'line 8: arrivals.busy_days.vc = 0.15: unknown key; did you mean "cv"?',
    ),
    (
        'rate = "90/h"',
        'rate = "90/h"\nbusy_days.cv = 15',
        (
            "line 8: arrivals.busy_days.cv = 15: cv must be from 0.001 to 2, or 0 where all days are alike; write "
            "cv = 0.15 where the calls of a day are typically 15 % more or fewer than on average"
        ),
    ),
    (
        'rate = "90/h"',
        'rate = "90/h"\nbusy_days.cv = "15%"',
        (
            "line 8: arrivals.busy_days.cv = '15%': cv must be a number; write cv = 0.15 where the calls of a day are "
            "typically 15 % more or fewer than on average"
        ),
    ),
    (
        'kind = "poisson"\nrate = "90/h"',
        'kind = "recorded"\nfile = "calls.csv"\nbusy_days = { cv = 0.15 }',
        (
            "line 8: arrivals.busy_days = {'cv': 0.15}: recorded calls come on the days of their file, which differ as "
            'they did; remove it; resample = "days" draws one recorded day a replication'
        ),
    ),
    (
        "probability = 0.6",
        "probability = [0.6, 0.5]",
        f"line 12: parking.probability = [0.6, 0.5]: must have 24 numbers, one an hour, and has 2; {SHARES}",
    ),
    (
        "probability = 0.6",
        f"probability = {[*[0.6] * 23, 1.5]}",
        f"line 12: parking.probability = {LONG}hour 23: a share must be from 0 to 1; {SHARES}",
    ),
    (
        "delay = {",
        f"delay_factor = {[*[0.6] * 23, 0]}\ndelay = {{",
        f"line 17: retrieval.delay_factor = {LONG}hour 23: a factor must be above 0, and at most 100; {FACTORS}",
    ),
    (
        "delay = {",
        "delay_factor = 1.5\ndelay = {",
        (
            "line 17: retrieval.delay_factor = 1.5: must be a list of 24 numbers; delay_factor = [ ... ], from 0-1 h "
            "to 23-24 h"
        ),
    ),
    (
        'delay = { kind = "exponential", mean = "60s" }\nnever = 0.2',
        f"never = 1\ndelay_factor = {[1] * 24}",
        (
            "line 18: retrieval.delay_factor = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, ...: needs "
            'a delay to multiply; add delay = "60s" or a law, or remove it'
        ),
    ),
]
