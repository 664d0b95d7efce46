"""Section 4.2's ablations: each differs from NPH in what it says, no more."""

import ablation_cases as cases
import jax
import nph_reference as reference
import numpy as np
import pytest

from nph_jax import errors
from nph_jax.models.config import NPHConfig
from nph_jax.models.encoder import SelfAttentionEncoder

NAMES = (
  'fullcnn', 'plain', 'selfatt', 'neibatt', 'selfatt_ls', 'neibcat',
  'nph_minus', 'nph_paper', 'nph_hierarchical', 'fullcnn_bn', 'plain_bn',
)  # fmt: skip

# Written out, not taken from the table under test. That the parts are the
# right ones the values tell, and that there are no others the gradients.
L_S, L_NR = {'similarity', 'quantization'}, {'neighborhood'}
TERMS = {name: {'visual'} for name in NAMES}
TERMS |= dict.fromkeys(('selfatt_ls', 'neibcat', 'nph_minus'), {'visual'} | L_S)
TERMS |= dict.fromkeys(
  ('nph_paper', 'nph_hierarchical'), {'visual'} | L_S | L_NR
)
WEIGHTS = {'similarity': 0.1, 'visual': 0.8, 'neighborhood': 0.1}  # eq. 12
ENCODES = {'neibatt', 'neibcat', 'nph_minus', 'nph_paper', 'nph_hierarchical'}


@pytest.mark.parametrize(
  ('name', 'fields'),
  [
    *((name, {}) for name in NAMES),
    ('plain', {'literal': True}),
    ('nph_hierarchical', {'literal': True, 'num_frames': 4}),
  ],
)
def test_terms_equal_the_paper_and_every_parameter_is_trained(
  name, fields, float64
):
  """No part is there that no loss of the method reaches."""
  method, *state = cases.problem(name, **fields)
  params, _, batch, _ = state
  run = jax.jit(jax.value_and_grad(lambda *a: method.loss(*a, None), 0, True))
  (loss, (terms, _)), gradient = run(*state, jax.random.key(0))
  tables = cases.neighborhood_tables()
  expected = reference.terms(name, params, batch, tables, cases.SCALE)
  assert set(terms) == TERMS[name]
  for term, value in terms.items():
    np.testing.assert_allclose(value, expected[term], rtol=1e-9, err_msg=term)
  total = sum(w * expected[k] for k, w in WEIGHTS.items() if k in terms)
  np.testing.assert_allclose(loss, total, rtol=1e-9)
  for path, value in jax.tree_util.tree_leaves_with_path(gradient):
    assert np.abs(value).max() > 0, jax.tree_util.keystr(path)


@pytest.mark.parametrize('name', NAMES)
def test_what_it_asks_of_the_neighborhood(name):
  method = cases.make(name)
  assert method.encodes_neighborhood == (name in ENCODES)
  needs = name in ENCODES or 'similarity' in TERMS[name]
  assert method.needs_neighborhood == needs


def test_m_0_is_one_vector_of_about_unit_length():
  module = SelfAttentionEncoder(1, NPHConfig(2, memory_width=400))
  frames = np.zeros((2, 1, cases.L), np.float32)
  init = jax.jit(lambda key: module.init(key, frames, None, False))
  first = init(jax.random.key(0))['params']['first_memory']
  assert first.shape == (400,)
  assert 0.8 < np.linalg.norm(first) < 1.2


def test_without_pairs_there_is_no_memory_bank():
  _, _, without, _, _ = cases.problem('neibatt', pairs='memory_bank')
  assert set(without) == {'batch_stats'}
  _, _, bank, _, _ = cases.problem('neibcat', pairs='memory_bank')
  assert set(bank) == {'batch_stats', 'code_bank'}


def test_no_loss_left_is_an_error():
  with pytest.raises(errors.UserError, match='weights: no loss is left'):
    cases.make('plain', weights__visual=0.0)
