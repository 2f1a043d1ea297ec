"""A right scenario, one wrong one for each fault, and the message that each must get."""

from cases_of_wrong_days import WRONG_DAYS

DURATION = 'write seconds or a text such as "45s", "2m30s", "1h", "1d", "500ms" or "PT45S"'
ON_DUTY = "write how many are on duty, from 0 to 10000, for 0-1 h, 1-2 h and so on to 23-24 h"
RIGHT = """\
name = "Front desk"
[run]
horizon = "1d"
warm_up = "30m"
[arrivals]
kind = "poisson"
rate = "90/h"
[attendants]
count = 3
handling = { kind = "lognormal", median = "37s", sigma = 0.6 }
[parking]
probability = 0.6
[lot]
slots = 6
max_in_parking = "180s"
[retrieval]
delay = { kind = "exponential", mean = "60s" }
never = 0.2
[recall]
ring = "30s"
attempts = 1
[caller]
patience = { kind = "hyperexponential", weights = [0.13, 0.87], means = ["64s", "501s"] }
[objectives]
refused_share = "< 1 %"
"""

# What stands in the right file, what is put there instead, and the message without the file's name ({D}: DURATION).
WRONG = [
    *WRONG_DAYS,
    ("slots = 6", "slots = 0", "line 14: lot.slots = 0: must be at least 1; write a larger number"),
    (
        "slots = 6",
        "slots = 6.5",
        "line 14: lot.slots = 6.5: must be a whole number; write it without quotes and without a point",
    ),
    (
        "slots = 6",
        'slots = "6"',
        "line 14: lot.slots = '6': must be a whole number; write it without quotes and without a point",
    ),
    (
        "slots = 6",
        "slots = true",
        "line 14: lot.slots = true: must be a whole number; write it without quotes and without a point",
    ),
    ("slots = 6", "slots = 100000", "line 14: lot.slots = 100000: must be at most 10000; write a smaller number"),
    ("slots = 6", "slosts = 6", 'line 14: lot.slosts = 6: unknown key; did you mean "slots"?'),
    ("slots = 6", "slot = 6", 'line 14: lot.slot = 6: unknown key; did you mean "slots"? slot belongs in [parking]'),
    ("slots = 6\n", "", "line 13: lot.slots: is missing; add slots = ... to [lot]"),
    ("slots = 6", "slots = 6\nslots = 7", "line 15: lot.slots: is given twice, first in line 14; remove one of them"),
    (
        "slots = 6",
        "slots = 6\nhandling = 3",
        "line 15: lot.handling = 3: unknown key; handling belongs in [attendants]",
    ),
    (
        "slots = 6",
        'slots = 6\nchoice = "lowst"',
        "line 15: lot.choice = 'lowst': must be lowest, next or random; did you mean \"lowest\"?",
    ),
    (
        "slots = 6",
        'slots = 6\nwhen_full = "voicemail"',
        "line 15: lot.when_full = 'voicemail': must be keep, overflow or drop; write \"keep\", say",
    ),
    (
        "slots = 6",
        "slots = 6\nretries = 2",
        (
            "line 15: lot.retries = 2: retries need retry_after, the time between two requests; add retry_after "
            '= "10s", say'
        ),
    ),
    (
        "slots = 6",
        "slots = 6\nretries = 2\nretry_after = 0",
        'line 16: lot.retry_after = 0: retry_after must be longer than 0; write for instance "10s"',
    ),
    ("slots = 6", "slots = 6\nfirst = -1", "line 15: lot.first = -1: must be at least 0; write a larger number"),
    (
        '"180s"',
        '"9s"',
        (
            "line 15: lot.max_in_parking = '9s': UAPI allows 10 s to 3600 s, and this is 9 s; stay inside, or "
            'set limits = "pbx" in [lot]'
        ),
    ),
    (
        '"180s"',
        '"3601s"',
        (
            "line 15: lot.max_in_parking = '3601s': UAPI allows 10 s to 3600 s, and this is 3601 s; stay inside, "
            'or set limits = "pbx" in [lot]'
        ),
    ),
    (
        '"180s"',
        '"unlimited"',
        (
            "line 15: lot.max_in_parking = 'unlimited': UAPI allows 10 s to 3600 s, not \"unlimited\"; set limits "
            '= "pbx" in [lot]'
        ),
    ),
    (
        '"180s"',
        '{ kind = "exponential", mean = "180s" }',
        (
            "line 15: lot.max_in_parking = {'kind': 'exponential', 'mean': '180s'}: UAPI allows 10 s to 3600 s, "
            'and a law of kind exponential has no end; set limits = "pbx" in [lot], or use a constant, uniform '
            "or empirical law"
        ),
    ),
    (
        '"180s"',
        '{ kind = "uniform", low = "5s", high = "60s" }',
        (
            "line 15: lot.max_in_parking = {'kind': 'uniform', 'low': '5s', 'high': '60s'}: UAPI allows 10 s to "
            '3600 s, and this is from 5 s to 60 s; stay inside, or set limits = "pbx" in [lot]'
        ),
    ),
    (
        '"180s"',
        "0",
        (
            "line 15: lot.max_in_parking = 0: UAPI allows 10 s to 3600 s, and this is 0 s; stay inside, or set "
            'limits = "pbx" in [lot]'
        ),
    ),
    ('"180s"', '"3 weeks"', "line 15: lot.max_in_parking = '3 weeks': is not a duration; {D}"),
    ('"180s"', "-5", "line 15: lot.max_in_parking = -5: a duration must not be negative; {D}"),
    ('"180s"', '"1e3s"', "line 15: lot.max_in_parking = '1e3s': is not a duration; {D}"),
    ('"180s"', "nan", "line 15: lot.max_in_parking = nan: a duration must be finite; {D}"),
    ('"180s"', "true", "line 15: lot.max_in_parking = true: a duration must be a number; {D}"),
    (
        'max_in_parking = "180s"',
        'max_in_parking = 0.5\nlimits = "pbx"',
        (
            "line 15: lot.max_in_parking = 0.5: max_in_parking must be at least 1 s, and this is 0.5 s; for no "
            'limit write "unlimited"'
        ),
    ),
    (
        'max_in_parking = "180s"\n',
        'max_in_parking = "unlimited"\nlimits = "pbx"\npatience = "unlimited"\n',
        (
            "line 15: lot.max_in_parking = 'unlimited': an unlimited stay needs another end: a call never "
            "fetched whose caller never hangs up stays for ever; set a patience in [lot] or [caller], or never = "
            "0 in [retrieval], or a max_in_parking"
        ),
    ),
    ('"1d"', '"0s"', "line 3: run.horizon = '0s': the horizon must be longer than 0; write for instance \"1d\""),
    (
        '"1d"',
        '"10m"',
        (
            "line 3: run.horizon = '10m': the horizon (600 s) must be later than the warm-up (1800 s); lengthen "
            "horizon or shorten warm_up"
        ),
    ),
    (
        'horizon = "1d"\n',
        "",
        'line 2: run.horizon: needs horizon, the length of a replication; add horizon = "1d", say',
    ),
    ('"1d"', '"40y"', "line 3: run.horizon = '40y': is not a duration; {D}"),
    (
        '"1d"',
        '"1000000d"',
        (
            "line 3: run.horizon = '1000000d': a duration must be at most 1e9 s (some 31 years); for no limit, "
            'where allowed, write "unlimited"'
        ),
    ),
    (
        '"1d"',
        "1d",
        'line 3: horizon = 1d: has a text without quotes; write horizon = "1d"',
    ),
    (
        '"1d"',
        '"30000d"',
        (
            "line 3: run.horizon = '30000d': a duration must be at most 1e9 s (some 31 years); for no limit, "
            'where allowed, write "unlimited"'
        ),
    ),
    (
        'warm_up = "30m"',
        'warm_up = "30m"\nprecision = "100%"',
        "line 5: run.precision = '100%': a precision must be above 0 and below 1; write for instance \"5%\"",
    ),
    (
        '"90/h"',
        "90",
        'line 7: arrivals.rate = 90: a rate needs its unit of time; write a text such as "120/h", "2/min" or "0.2/s"',
    ),
    (
        '"90/h"',
        '"90 by the hour"',
        'line 7: arrivals.rate = \'90 by the hour\': is not a rate; write a text such as "120/h", "2/min" or "0.2/s"',
    ),
    (
        '"90/h"',
        '"0/h"',
        (
            'line 7: arrivals.rate = \'0/h\': a rate must be greater than 0; write a text such as "120/h", "2/min" '
            'or "0.2/s"'
        ),
    ),
    ('"poisson"', '"poison"', "line 6: arrivals.kind = 'poison': is not a kind of arrivals; did you mean \"poisson\"?"),
    (
        'kind = "poisson"\nrate = "90/h"',
        'kind = "hourly"\ncalls_per_hour = [1, 2]',
        "line 7: arrivals.calls_per_hour = [1, 2]: must have 24 numbers, one an hour, and has 2; from 0-1 h to 23-24 h",
    ),
    (
        'kind = "poisson"\nrate = "90/h"',
        'kind = "hourly"\ncalls_per_hour = [1, -1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]',
        (
            "line 7: arrivals.calls_per_hour = [1, -1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,...: "
            "hour 1 must be from 0 to 1e9; write calls an hour"
        ),
    ),
    (
        'kind = "poisson"\nrate = "90/h"',
        'kind = "hourly"\ncalls_per_hour = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]',
        (
            "line 7: arrivals.calls_per_hour = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...: "
            "at least one hour must have calls; write calls an hour"
        ),
    ),
    (
        'kind = "poisson"\nrate = "90/h"',
        'kind = "recorded"\nfile = "nowhere.csv"',
        (
            "line 7: arrivals.file = 'nowhere.csv': there is no such file; names are relative to the folder of "
            "the scenario file"
        ),
    ),
    ('kind = "poisson"\n', "", "line 5: arrivals.kind: needs its kind; one of poisson, hourly, recorded"),
    (
        'rate = "90/h"',
        'rate = "90/h"\ncolumn = "a"',
        "line 8: arrivals.column = 'a': unknown key for kind poisson; it may have kind, rate, busy_days",
    ),
    (
        "count = 3",
        "count = 0",
        'line 9: attendants.count = 0: the number of attendants must be from 1 to 10000, or "unlimited"',
    ),
    (
        "count = 3",
        'count = "many"',
        (
            "line 9: attendants.count = 'many': the number of attendants must be a whole number or \"unlimited\"; "
            'write a number from 1 to 10000, "unlimited", or 24 numbers in brackets, one an hour'
        ),
    ),
    (
        "count = 3",
        "count = 2.5",
        (
            'line 9: attendants.count = 2.5: the number of attendants must be a whole number or "unlimited"; '
            'write a number from 1 to 10000, "unlimited", or 24 numbers in brackets, one an hour'
        ),
    ),
    (
        "count = 3",
        f"count = {[2] * 23}",
        (
            "line 9: attendants.count = [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, ...: must have 24 "
            f"numbers, one an hour, and has 23; {ON_DUTY}"
        ),
    ),
    (
        "count = 3",
        f"count = {[*[2] * 23, -1]}",
        (
            "line 9: attendants.count = [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, ...: hour 23 "
            f"must be from 0 to 10000; {ON_DUTY}"
        ),
    ),
    (
        "count = 3",
        f"count = [{'2, ' * 4}1.5{', 2' * 19}]",
        (
            "line 9: attendants.count = [2, 2, 2, 2, 1.5, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2...: hour 4 "
            f"must be a whole number; {ON_DUTY}"
        ),
    ),
    (
        "count = 3",
        f"count = {[0] * 24}",
        (
            "line 9: attendants.count = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...: "
            f"somebody must be on duty in at least one hour; {ON_DUTY}"
        ),
    ),
    ("count = 3\n", "", "line 8: attendants.count: is missing; add count = ... to [attendants]"),
    ("0.6 }", "-0.6 }", "line 10: attendants.handling.sigma = -0.6: must be greater than 0; write a larger number"),
    ("0.6 }", "inf }", "line 10: attendants.handling.sigma = inf: must be a finite number; write a number"),
    (
        'median = "37s", ',
        "",
        (
            "line 10: attendants.handling = {'kind': 'lognormal', 'sigma': 0.6}: a lognormal needs either median "
            "and sigma, or mean and cv; given: sigma"
        ),
    ),
    (
        "sigma = 0.6",
        "sigma = 0.6, mean = 5",
        (
            "line 10: attendants.handling = {'kind': 'lognormal', 'median': '37s', 'sigma': 0.6, 'mean': 5}: a "
            "lognormal needs either median and sigma, or mean and cv; given: mean, median, sigma"
        ),
    ),
    (
        "lognormal",
        "lognorml",
        "line 10: attendants.handling.kind = 'lognorml': is not a kind of law; did you mean \"lognormal\"?",
    ),
    (
        '"37s"',
        '"unlimited"',
        "line 10: attendants.handling.median = 'unlimited': \"unlimited\" is not allowed here; {D}",
    ),
    (
        "sigma = 0.6",
        "sigma = 9.0",
        (
            "line 10: attendants.handling = {'kind': 'lognormal', 'median': '37s', 'sigma': 9.0}: more than "
            "1e-09 of this law lies beyond 1e9 s (some 31 years); lower its mean or its spread"
        ),
    ),
    (
        "[0.13, 0.87]",
        "[0.13, 0.88]",
        (
            "line 23: caller.patience = {'kind': 'hyperexponential', 'weights': [0.13, 0.88], 'means'...: the "
            "weights sum to 1.01, not to 1; make the weights sum to 1"
        ),
    ),
    (
        "[0.13, 0.87]",
        "[1.0]",
        (
            "line 23: caller.patience = {'kind': 'hyperexponential', 'weights': [1.0], 'means': ['64s...: 1 "
            "weights for 2 means; give each mean exactly one weight"
        ),
    ),
    ('"64s", "501s"', '"64s", "5o1s"', "line 23: caller.patience.means[1] = '5o1s': is not a duration; {D}"),
    (
        "probability = 0.6",
        "probability = 1.2",
        (
            "line 12: parking.probability = 1.2: a share must be from 0 to 1; write a number from 0 to 1 or a "
            'text such as "5%"'
        ),
    ),
    (
        "probability = 0.6",
        'probability = "60"',
        "line 12: parking.probability = '60': is not a share; write a number from 0 to 1 or a text such as \"5%\"",
    ),
    (
        "probability = 0.6",
        "probability = 60",
        ('line 12: parking.probability = 60: a share must be from 0 to 1; write "60%"'),
    ),
    (
        "probability = 0.6",
        "probability = 0.6\nmax_parks = 0",
        "line 13: parking.max_parks = 0: must be at least 1; write a larger number",
    ),
    (
        "probability = 0.6",
        'probability = 0.6\nannouncement = { kind = "constant", value = 3 }',
        (
            "line 13: parking.announcement = {'kind': 'constant', 'value': 3}: must be one duration, not a "
            "distribution; {D}"
        ),
    ),
    (
        'delay = { kind = "exponential", mean = "60s" }\n',
        "",
        (
            "line 16: retrieval.delay: needs delay, the time until somebody fetches a parked call; add delay = "
            '"60s" or a law, or never = 1'
        ),
    ),
    (
        "never = 0.2",
        "never = 0.2\nstaff = 0",
        'line 19: retrieval.staff = 0: the number of staff must be from 1 to 10000, or "unlimited"',
    ),
    ('"30s"', "0", 'line 20: recall.ring = 0: ring must be longer than 0; write for instance "30s"'),
    (
        '"30s"',
        '"unlimited"\nnever = 0.1\npatience = "unlimited"',
        (
            "line 20: recall.ring = 'unlimited': an unlimited ring needs another end: a return never answered "
            "whose caller never hangs up rings for ever; set a patience in [recall] or [caller], or never = 0 in "
            "[recall], or a ring"
        ),
    ),
    (
        'ring = "30s"\nattempts = 1',
        'ring = "unlimited"\nattempts = 2',
        "line 21: recall.attempts = 2: an unlimited ring has only one attempt; set attempts = 1, or a ring",
    ),
    (
        'ring = "30s"',
        'ring = "30s"\nto = "caller"',
        "line 21: recall.to = 'caller': must be parker, group, elsewhere or reminder; write \"parker\", say",
    ),
    (
        "refused_share",
        "refusal_share",
        "line 25: objectives.refusal_share = '< 1 %': is not a measure; did you mean \"refused_share\"?",
    ),
    (
        '"< 1 %"',
        '"1 %"',
        ('line 25: objectives.refused_share = \'1 %\': is not an objective; write "< 1 %" for less, "> 1 %" for more'),
    ),
    (
        '"< 1 %"',
        '"< 5"',
        "line 25: objectives.refused_share = '< 5': refused_share is a share from 0 to 1; for per cent write \"< 5 %\"",
    ),
    (
        '"< 1 %"',
        "0.01",
        ('line 25: objectives.refused_share = 0.01: is not an objective; write "< 0.01" for less, "> 0.01" for more'),
    ),
    (
        '"< 1 %"',
        '"< 101 %"',
        (
            "line 25: objectives.refused_share = '< 101 %': a share must be from 0 to 1; write a number from 0 "
            'to 1 or a text such as "5%"'
        ),
    ),
    (
        'refused_share = "< 1 %"',
        'parked_s_mean = "< 1 parsec"',
        "line 25: objectives.parked_s_mean = '< 1 parsec': is not a duration; {D}",
    ),
    (
        'refused_share = "< 1 %"',
        'occupancy_mean = "< 50 %"',
        (
            "line 25: objectives.occupancy_mean = '< 50 %': occupancy_mean is compared with a plain number; "
            'write a text such as "< 12"'
        ),
    ),
    ("[lot]", "[lott]", "line 13: lott = {'slots': 6, 'max_in_parking': '180s'}: unknown key; did you mean \"lot\"?"),
    ("slots = 6", "slots = 6\nname = 5", "line 15: lot.name = 5: unknown key; name belongs at the top of the file"),
    ("[lot]\n", "[lot]\nrun = 5\n", "line 14: lot.run = 5: unknown key; make [run] a table of its own"),
    (
        "[run]",
        "[[run]]",
        (
            "line 2: run = [{'horizon': '1d', 'warm_up': '30m'}]: must be a table; write keys and values below "
            "its name in square brackets"
        ),
    ),
    (
        "[run]\n",
        "lot.slots = 6\n[run]\n",
        "line 14: lot: is given twice, first in line 2; remove one of them",
    ),
    ("[caller]", "[recall]", "line 22: recall: is given twice, first in line 19; remove one of them"),
    (
        "[caller]\n",
        "[caller\n",
        (
            "line 22, column 8: is no valid TOML: Expected ']' at the end of a table declaration (in '[caller'); "
            'write one key = value a line, texts in quotes such as horizon = "1d"'
        ),
    ),
    (
        "[caller]",
        "[uapi]\nepoch = 2026-01-05T08:00:00\n[caller]",
        (
            "line 23: uapi.epoch = 2026-01-05T08:00:00: must be a date and time with its offset; write epoch = "
            "2026-01-05T08:00:00Z"
        ),
    ),
    (
        "[caller]",
        '[uapi]\nusers = { "12" = ["0003*210", "0003*210"] }\n[caller]',
        (
            "line 23: uapi.users.\"12\" = ['0003*210', '0003*210']: extension '0003*210' is listed twice, with "
            "user '12' too; an extension has one user"
        ),
    ),
    (
        "[caller]",
        '[uapi]\nusers = { "12" = [210] }\n[caller]',
        'line 23: uapi.users."12"[0] = 210: must be a text; put it in quotes',
    ),
    (
        "[caller]",
        '[uapi]\nbase_url = "ftp://x"\n[caller]',
        (
            "line 23: uapi.base_url = 'ftp://x': must be an http or https address; write for instance "
            '"http://127.0.0.1:8080"'
        ),
    ),
    (
        "[caller]",
        '[uapi]\nusers = { "12" = ["front desk"] }\n[caller]',
        (
            "line 23: uapi.users.\"12\" = ['front desk']: 'front desk' is no extension: digits and '*'; write for "
            'instance "0003*210"'
        ),
    ),
    ('"Front desk"', "5", "line 1: name = 5: must be a text; put it in quotes"),
    ('"Front desk"', '""', "line 1: name = '': must not be empty; write a text"),
    (
        '"Front desk"',
        '"a\\u001bb"',
        "line 1: name = 'a\\x1bb': must be one line of printable characters; write for instance \"Main switchboard\"",
    ),
    ('name = "Front desk"\n', "", ": name: is missing; add name = ..."),
]
