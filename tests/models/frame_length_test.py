"""Frames of a stated length: the same as frames scaled beforehand."""

import ablation_cases as cases
import jax
import methods
import numpy as np


def scaled():
  """NPH on frames of length 2, NPH on frames as they are, and a batch."""
  method = cases.make('nph_paper', frame_length=2.0)
  plain, params, stats, batch, tables = cases.problem('nph_paper')
  frames = 3 + 5 * np.random.default_rng(2).normal(size=(9, cases.M, cases.L))
  frames = frames.astype(np.float32)
  fitted = method.fit_tables(methods.features(frames), jax.random.key(0))
  expected = 2 / np.sqrt(np.mean(np.sum(frames**2.0, axis=-1)))
  np.testing.assert_allclose(fitted['frame_scale'], expected, rtol=1e-6)
  tables = {**tables, **fitted}
  _, collections = method.init(jax.random.key(0), tables)
  collections = {**stats, 'input': collections['input']}
  return method, plain, params, stats, collections, batch, tables, expected


def test_loss_and_code_are_those_of_frames_scaled_beforehand():
  with jax.enable_x64(True):
    method, plain, params, stats, collections, batch, tables, scale = scaled()
    key = jax.random.key(1)
    before = {**batch, 'frames': batch['frames'] * scale}
    expected, (terms, _) = plain.loss(params, stats, before, tables, key, None)
    found, (same, after) = method.loss(
      params, collections, batch, tables, key, None
    )
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    for name in terms:
      np.testing.assert_allclose(same[name], terms[name], rtol=1e-5)
    assert after['input'] == collections['input']
    variables = method.inference_variables(params, collections)
    nearest = np.random.default_rng(1).normal(size=(cases.B, cases.A, cases.D))
    t = method.relaxed_code(variables, batch['frames'], nearest)
    plain_variables = plain.inference_variables(params, stats)
    wanted = plain.relaxed_code(plain_variables, before['frames'], nearest)
    np.testing.assert_allclose(t, wanted, rtol=1e-6)
