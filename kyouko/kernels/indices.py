"""Positions inside the small state vectors that kernels and the engine share.

Plain integer literals: kernels freeze them at compile time. Not a place for tunable settings.
"""

from typing import Final

# Sizes fixed in the layout.
START_ROWS: Final = 64  # rows and active values kept until a channel's coding is frozen
MOST_SECTIONS: Final = 24  # sections a channel can have, overflow sections included
OVERFLOW_VALUES: Final = 8  # values beyond the knots that open one more section

REVIEW_EVERY: Final = 4_000  # learned rows between two reviews of the resting bands
EARLY_REVIEWS: Final = (250, 500, 1_000, 2_000)
MISSED_EVERY: Final = 500  # learned rows between two looks at the error since channels fell silent
TRIAL_ROWS: Final = 128  # rows of each round of a trial; twice as many after 1,000 rows
TRIAL_ROUNDS: Final = 6
WATCH_GROUPS: Final = 16  # groups of rows whose values in a watched interval are compared
SHARE_COLUMNS: Final = 16  # classes, modulo; or four bins of each of four numbers
SHARE_LINES: Final = 5
FAIR_SHARE: Final = 0.66  # of the usual diversity of targets; one of two classes alone has 0.5
PRUNE_EVERY: Final = 20_000  # learned rows between two reviews of the channels' utility
ASK_EVERY: Final = 8  # learned rows between two rows that are answered before and after rehearsal
REGROWN_FROM: Final = 16  # active values that a pruned channel needs to grow again

# the ring of growth events: rows, and the kinds that kernels note (numbers of GrowthKind)
EVENT_ROWS: Final = 256
EVENT_COLUMNS: Final = 4  # learned rows, kind, subject, connections
EVENT_STARTED: Final = 1
EVENT_CHANNEL_GREW: Final = 2
EVENT_SECTION_ADDED: Final = 3
EVENT_OUTPUT_OPENED: Final = 4
EVENT_CHANNEL_PRUNED: Final = 5
EVENT_BAND_MOVED: Final = 6
EVENT_CHANNELS_ADDED: Final = 7
EVENT_POPULATIONS_ADDED: Final = 8
EVENT_GROWTH_STOPPED: Final = 9
EVENT_DRIFT_ALARM: Final = 10

# lines of the shares of the targets
SHARE_ALL: Final = 0  # of all sampled rows
SHARE_SAMPLE: Final = 1  # of those since the last review
SHARE_TRIAL: Final = 2  # of the rows of the present or last trial
SHARE_QUIET: Final = 3  # of the trial that last silenced channels
SHARE_UNIT: Final = 4  # of each number: rows, mean, mean distance from it, unused

# states of a channel with regard to trials
TRIAL_OFF: Final = 0
TRIAL_ON: Final = 1  # held at its mean in the present trial
TRIAL_SILENT: Final = 2  # silenced by a trial

# phases of a channel between reviews
PHASE_NEW: Final = 0  # without sections, or grown since the last review
PHASE_REVIEWED: Final = 1
PHASE_PRUNED: Final = 2

# lines of the scratch of growth, float64; those below MOST_SECTIONS: what each new section takes
# over from the old ones
ORDERED: Final = 24
CANDIDATES: Final = 25
KEPT: Final = 26
NEW_KNOTS: Final = 27
OLD_FAST: Final = 28
OLD_SLOW: Final = 29
AT_REST: Final = 30
SCRATCH_LINES: Final = 31

# counters, int64
LEARNED_ROWS: Final = 0
KNOWN_OUTPUTS: Final = 1
ROW_TOP: Final = 2  # weight rows below this index were handed out at least once
FREE_ROWS: Final = 3  # length of the stack of returned weight rows
USED_ROWS: Final = 4
SECTIONS: Final = 5
LIVE_CHANNELS: Final = 6  # channels with at least one active value
ALARM_ROWS: Final = 7  # rows since the start or the last drift alarm (set to 50 by an alarm)
ALARMS: Final = 8
AVERAGINGS: Final = 9  # averaging steps since the last restart
SINCE_AVERAGING: Final = 10
GROWTH_STOPPED: Final = 11  # 0 no, 1 pool of weight rows full, 2 a channel's sections full
RING_NEXT: Final = 12
RING_FILLED: Final = 13
UPDATED_ROWS: Final = 14  # rows that were not skipped
NON_FINITE: Final = 15
EVENTS: Final = 16  # growth events so far
RESTART_DUE: Final = 17  # 1 after an alarm, until the averaged weights prove worse or 2,000 rows
HOME_ROWS: Final = 18  # weight rows below this index belong to one edge each
START_FROM: Final = 19  # learned rows when the newest channels came: their start-up begins
NEW_FROM: Final = 20  # first channel that takes part in the present start-up
PRUNED_ROWS: Final = 21  # weight rows removed because they hardly mattered
NEURONS: Final = 22  # hidden neurons in use, padding not counted
RECENT_NEXT: Final = 23  # place of the next sampled row
TRIAL_LEFT: Final = 24  # rows until the end of a trial without some channels; 0: no trial
TRIAL_ROUND: Final = 25  # rounds of this trial begun so far
QUIET_ALARMS: Final = 26  # drift alarms up to the last review of silent channels
COUNTERS: Final = 32

# meters, float64
DRIVE_ENERGY: Final = 0  # running mean of the sum of squared drives of a row
ERROR_SLOW: Final = 1  # running mean of the error over 1,000 rows, starts at 1
LOSS_FAST: Final = 2  # running loss of the instantaneous weights
LOSS_SLOW: Final = 3  # running loss of the averaged weights
STEP_FACTOR: Final = 4  # noise adaptation of the step, 0.05 to 1
ALARM_SHORT: Final = 5
ALARM_LONG: Final = 6
REHEARSAL_DEBT: Final = 7
SHOWN_LOSS: Final = 8  # running loss of the outputs that were handed out
SHOWN_ERROR: Final = 9
LAST_LEAK: Final = 10  # of the preset that learned last; predictions use it
LAST_TOLERANCE: Final = 11  # likewise
ERROR_BEFORE: Final = 12  # running error of rows answered before kept ones were learned again
ERROR_AFTER: Final = 13  # of the same rows, answered after it
TRIAL_LOSS: Final = 14  # summed loss without the channels on trial, less that of the network
QUIET_ERROR: Final = 15  # least SHOWN_ERROR since channels fell silent; 0: none did
TRIAL_SQUARES: Final = 16  # summed squares of the same differences
TRIAL_USUAL: Final = 17  # summed loss of the network itself in the same rows
TRIAL_SLACK: Final = 18  # share of that loss which silence may cost in this trial
METERS: Final = 24

# settings, float32: the preset of one way of arrival
STEP: Final = 0  # mu
SKIP: Final = 1
LEAK: Final = 2
STEP_LIMIT: Final = 3
ERROR_SCALED: Final = 4  # 1: the step falls with the running error (stored data sets)
NOISE_ADAPTED: Final = 5  # 1: the step follows the noise (streams)
COMPARE_EVERY: Final = 6  # rows between two comparisons of fast and averaged weights
SHOW_CHOSEN: Final = 7  # 1: hand out the better of fast and averaged; 0: always fast
REHEARSAL_STEPS: Final = 8
HORIZON: Final = 10  # rows, of the averaged weights
SLOW_TOLERANCE: Final = 11  # averaged weights are chosen up to this multiple of the fast loss
COMPARE_RATE: Final = 12  # of the running losses that are compared
REHEARSE_BALANCED: Final = 13  # 1: classes share the kept rows evenly; 0: the newest rows stay
SETTINGS: Final = 16

# columns of the record of a channel with one frozen section, float32
HOT_BOTTOM: Final = 0
HOT_INVERSE: Final = 1
HOT_REST: Final = 2
HOT_VALID_LOW: Final = 3
HOT_VALID_HIGH: Final = 4
HOT_RESTING_LOW: Final = 5
HOT_RESTING_HIGH: Final = 6
HOT_COLUMNS: Final = 8

# columns of the record of a block, float32
SPIKING_ON: Final = 0  # 1 for blocks whose neurons have a memory
SPIKING_SHARE: Final = 1  # of the potential that is kept from row to row
SPIKING_COOLDOWN: Final = 2  # share of the raised threshold that is kept
SPIKING_REST: Final = 3  # rows of silence after a spike
SPIKING_COLUMNS: Final = 4
