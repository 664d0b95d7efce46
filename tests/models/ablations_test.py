"""Section 4.2's ablations: each differs from NPH in what it says, no more."""

import ablation_cases as cases
import jax
import jax.numpy as jnp
import nph_reference as reference
import numpy as np
import pytest

from nph_jax import errors
from nph_jax.models import registry

NAMES = (
  'fullcnn', 'plain', 'selfatt', 'neibatt', 'selfatt_ls', 'neibcat',
  'nph_minus', 'nph_paper', 'nph_hierarchical', 'fullcnn_bn', 'plain_bn',
)  # fmt: skip

# Written out, not taken from the table under test.
BASIC = {'encoder', 'hash_layer', 'first_frame', 'decoder'}
READS_N = {'neighborhood'}
REBUILDS_N = {'neighborhood', 'reconstruct_neighborhood'}
PARAMETERS = {
  'fullcnn': BASIC,
  'plain': BASIC,
  'selfatt': BASIC,
  'neibatt': BASIC | READS_N,
  'selfatt_ls': BASIC,
  'neibcat': BASIC,
  'nph_minus': BASIC | READS_N,
  'nph_paper': BASIC | REBUILDS_N,
  'nph_hierarchical': BASIC | REBUILDS_N,
  'fullcnn_bn': BASIC,
  'plain_bn': BASIC,
}
CELL = {'cell', 'norm'}
ENCODERS = {
  'fullcnn': {'convolution_0', 'convolution_1'},
  'plain': {'lstm'},
  'selfatt': CELL | {'first_memory'},
  'neibatt': CELL,
  'selfatt_ls': CELL | {'first_memory'},
  'neibcat': CELL | {'first_memory'},
  'nph_minus': CELL,
  'nph_paper': CELL,
  'nph_hierarchical': {'lower', 'upper'},
  'fullcnn_bn': {'convolution_0', 'convolution_1', 'norm_0', 'norm_1'},
  'plain_bn': {'input_kernel', 'recurrent_kernel', 'bias', 'norm'},
}
L_S, L_NR = {'similarity', 'quantization'}, {'neighborhood'}
TERMS = {
  'fullcnn': {'visual'},
  'plain': {'visual'},
  'selfatt': {'visual'},
  'neibatt': {'visual'},
  'selfatt_ls': {'visual'} | L_S,
  'neibcat': {'visual'} | L_S,
  'nph_minus': {'visual'} | L_S,
  'nph_paper': {'visual'} | L_S | L_NR,
  'nph_hierarchical': {'visual'} | L_S | L_NR,
  'fullcnn_bn': {'visual'},
  'plain_bn': {'visual'},
}
WEIGHTS = {'similarity': 0.1, 'visual': 0.8, 'neighborhood': 0.1}  # eq. 12
ENCODES = {'neibatt', 'neibcat', 'nph_minus', 'nph_paper', 'nph_hierarchical'}


@pytest.fixture(scope='module', params=NAMES)
def compiled(request):
  """The name, a state, a batch, and loss and gradient compiled in float64."""
  with jax.enable_x64(True):
    method, params, collections, batch, tables = cases.problem(request.param)
    step = jax.jit(jax.value_and_grad(method.loss, has_aux=True))

    def run(params):
      with jax.enable_x64(True):
        (loss, (terms, _)), gradient = step(
          params, collections, batch, tables, jax.random.key(0), None
        )
        return jax.device_get((loss, terms, gradient))

  return request.param, params, batch, run


def test_terms_are_those_of_the_table_and_equal_the_paper(compiled):
  name, params, batch, run = compiled
  loss, terms, _ = run(params)
  with jax.enable_x64(True):
    tables = cases.neighborhood_tables()
    expected = reference.terms(name, params, batch, tables, cases.SCALE)
  assert set(terms) == TERMS[name]
  for term, value in terms.items():
    np.testing.assert_allclose(value, expected[term], rtol=1e-9, err_msg=term)
  total = sum(w * expected[k] for k, w in WEIGHTS.items() if k in terms)
  np.testing.assert_allclose(loss, total, rtol=1e-9)


def test_every_parameter_is_trained(compiled):
  """No part is there that no loss of the method reaches."""
  _, params, _, run = compiled
  for path, value in jax.tree_util.tree_leaves_with_path(run(params)[2]):
    assert np.abs(value).max() > 0, jax.tree_util.keystr(path)


def test_twenty_steps_lower_the_loss(compiled):
  _, params, _, run = compiled
  first = run(params)[0]
  for _ in range(20):
    gradient = run(params)[2]
    params = jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient)
  assert run(params)[0] < 0.9 * first


@pytest.mark.parametrize('name', NAMES)
def test_parameters_are_those_of_its_parts(name):
  method = cases.make(name)
  tables = cases.neighborhood_tables(jnp.float32)
  tables = tables if method.needs_neighborhood else {}
  params, _ = jax.eval_shape(method.init, jax.random.key(0), tables)
  assert set(params) == PARAMETERS[name]
  assert set(params['encoder']) == ENCODERS[name]
  rows = cases.WIDTH + cases.A * cases.D if name == 'neibcat' else cases.WIDTH
  assert params['hash_layer']['kernel'].shape == (rows, cases.K)


def test_all_are_in_the_registry():
  assert set(NAMES) <= set(registry.METHODS)


@pytest.mark.parametrize('name', NAMES)
def test_what_it_asks_of_the_neighborhood(name):
  method = cases.make(name)
  assert method.encodes_neighborhood == (name in ENCODES)
  alone = 'fullcnn', 'fullcnn_bn', 'plain', 'plain_bn', 'selfatt'
  needs = name not in alone
  assert method.needs_neighborhood == needs


@pytest.mark.parametrize('name', ['neibcat', 'nph_paper', 'nph_hierarchical'])
def test_codes_depend_on_the_anchors(name):
  method, params, collections, batch, _ = cases.problem(name)
  variables = method.inference_variables(params, collections)
  run = jax.jit(method.relaxed_code)
  nearest = np.random.default_rng(1).normal(size=(2, cases.B, cases.A, cases.D))
  codes = [run(variables, batch['frames'], near) for near in nearest]
  assert np.abs(codes[0] - codes[1]).max() > 1e-3


@pytest.mark.parametrize('name', sorted(set(NAMES) - ENCODES))
def test_codes_are_made_without_anchors(name):
  method, params, collections, batch, _ = cases.problem(name)
  variables = method.inference_variables(params, collections)
  code = jax.eval_shape(method.relaxed_code, variables, batch['frames'], None)
  assert code.shape == (cases.B, cases.K)


def test_without_pairs_there_is_no_memory_bank():
  _, _, without, _, _ = cases.problem('neibatt', pairs='memory_bank')
  assert set(without) == {'batch_stats'}
  _, _, bank, _, _ = cases.problem('neibcat', pairs='memory_bank')
  assert set(bank) == {'batch_stats', 'code_bank'}


def test_no_loss_left_is_an_error():
  with pytest.raises(errors.UserError, match='weights: no loss is left'):
    cases.make('plain', weights__visual=0.0)
