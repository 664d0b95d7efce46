"""The ablations' encoders by themselves."""

import dataclasses

import ablation_cases as cases
import jax
import nph_reference as reference
import numpy as np
import pytest

from nph_jax.models.encoder import SelfAttentionEncoder
from nph_jax.models.hierarchical_encoder import HierarchicalEncoder


@pytest.mark.parametrize('name', ['plain', 'nph_hierarchical'])
def test_fused_equals_literal(name):
  with jax.enable_x64(True):
    codes = []
    for literal in (False, True):
      method, params, collections, batch, _ = cases.problem(
        name, literal=literal
      )
      variables = method.inference_variables(params, collections)
      nearest = np.random.default_rng(1).normal(
        size=(cases.B, cases.A, cases.D)
      )
      run = jax.jit(method.relaxed_code)
      codes.append(run(variables, batch['frames'], nearest))
    np.testing.assert_allclose(*codes, rtol=1e-10)


def test_of_an_even_number_of_frames_the_upper_level_reads_every_second_state():
  with jax.enable_x64(True):
    module = HierarchicalEncoder(4, cases.CONFIG)
    draw = np.random.default_rng(0)
    frames, first = (
      draw.normal(size=(cases.B, 4, cases.L)),
      draw.normal(size=(cases.B, cases.WIDTH)),
    )

    def init(key):
      variables = dict(module.init(key, frames, first, False))
      return variables.pop('params'), variables

    params, stats = cases.random_state(init, jax.random.key(0))
    run = jax.jit(
      lambda: module.apply(
        {'params': params, **stats},
        frames,
        first,
        True,
        mutable=['batch_stats'],
      )[0]
    )
    found = run()
    states, memory = reference.neighborhood_lstm(
      params['lower'], frames, first, cases.SCALE
    )
    expected = reference.lstm(params['upper']['lstm'], states[:, [1, 3]])
    np.testing.assert_allclose(found.video, expected, rtol=1e-9)
    np.testing.assert_allclose(found.memory, memory, rtol=1e-9)


def test_m_0_is_one_vector_of_about_unit_length():
  config = dataclasses.replace(cases.CONFIG, memory_width=400, hidden_width=2)
  module = SelfAttentionEncoder(1, config)
  frames = np.zeros((2, 1, cases.L), np.float32)
  init = jax.jit(lambda key: module.init(key, frames, None, False))
  first = init(jax.random.key(0))['params']['first_memory']
  assert first.shape == (400,)
  assert 0.8 < np.linalg.norm(first) < 1.2
