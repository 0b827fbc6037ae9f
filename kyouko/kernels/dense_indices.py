"""Positions inside the small tables that `dense` and the static engine share; only literals."""

from typing import Final

# columns of the layer table, int64
INPUTS: Final = 0  # values that a neuron takes, the constant 1 for its bias included
NEURONS: Final = 1  # of the output layer: outputs for which room is kept
FIRST_WEIGHT: Final = 2  # place of its first weight; a neuron's weights are neighbours, bias last
FIRST_INPUT: Final = 3  # place of its first input among the activities
FIRST_NEURON: Final = 4  # place of its first neuron among the activities
ACTIVATION: Final = 5
LAYER_COLUMNS: Final = 6

# activations
IDENTITY: Final = 0  # scores of the output layer
RECTIFIED: Final = 1
TANH: Final = 2
SIGMOID: Final = 3

# counters, int64
LEARNED_ROWS: Final = 0
KNOWN_OUTPUTS: Final = 1
UPDATED_ROWS: Final = 2  # rows that changed weights; also the number of Adam's steps
NON_FINITE: Final = 3
COUNTERS: Final = 4

# meters, float64
SHOWN_LOSS: Final = 0
SHOWN_ERROR: Final = 1
METERS: Final = 2

# settings, float64
LEARNING_RATE: Final = 0
STEP_LIMIT: Final = 1  # times the squared error over the gradient's squared length
OPTIMIZER: Final = 2
SETTINGS: Final = 3

# optimizers
SGD: Final = 0
ADAM: Final = 1
