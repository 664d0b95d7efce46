"""Rounds of alternating refinement: what identifies them, and a micro chain."""

import dataclasses
import json

import pytest

from experiments import cells, refinement, running
from nph_jax import errors


@pytest.fixture
def chain(digits):
  return lambda last=2, **values: refinement.rounds(
    digits(**values), 0, 'nph', 16, last
  )


def test_each_round_is_of_the_one_before(chain, where):
  first, second, third = chain()
  assert (first.refines, second.refines, third.refines) == (None, first, second)
  assert [c.keeps_bundle for c in (first, second, third)] == [True, True, False]
  assert first.config(where).neighborhood.run == ''
  run = second.config(where).neighborhood.run
  assert run == str(first.workdir(where))
  assert len({c.digest(where) for c in (first, second, third)}) == 3
  # As the same training in the main grid, whose results they are too.
  alone = dataclasses.replace(first, dataset='digits', keeps_bundle=False)
  assert alone.digest(where) == first.digest(where)


def test_a_rounds_digest_follows_the_first_one_and_no_folder(
  chain, where, tmp_path
):
  other = chain(**{'train.learning_rate': 0.1})
  assert other[2].digest(where) != chain()[2].digest(where)
  elsewhere = cells.Folders(tmp_path / 'a', tmp_path / 'b')
  assert chain()[2].digest(elsewhere) == chain()[2].digest(where)


def test_a_wrong_number_of_rounds_is_a_sentence():
  for rounds in ('0', '-1', 'x'):
    with pytest.raises(errors.UserError, match='--rounds'):
      refinement.main(['--config=configs/moving_digits.py', '--rounds', rounds])


@pytest.mark.filterwarnings('ignore:optax.global_norm')
def test_a_micro_chain_end_to_end(flags, where, monkeypatch):
  argv = [*flags, '--bits=16', '--rounds=1']
  refinement.main(argv)
  folder = where.results / 'refinement'
  names = [f'moving_digits-round{i}' for i in (0, 1)]
  found = [
    json.loads((folder / name / 'nph_paper-16-0.json').read_text())
    for name in names
  ]
  assert all(0 <= r['graph']['precision'] <= 1 for r in found)
  assert found[0]['graph'] != found[1]['graph']
  left = []
  for name in names:
    (workdir,) = (where.scratch / 'refinement' / name).glob(
      'nph_paper-*[0-9a-f]/'
    )
    left.append(sorted(p.name for p in workdir.iterdir()))
  assert left == [['codes', 'export'], ['codes']]
  page = (where.results / 'refinement.md').read_text()
  assert '| NPH (paper) | 16 | 0 | 7 |' in page
  assert '| NPH (paper) | 16 | 1 | 7 |' in page
  assert '64 training videos' in page
  assert [p.name for p in where.results.glob('*.md')] == ['refinement.md']
  monkeypatch.setattr(running, 'run', None)  # nothing is left to run
  refinement.main(argv)


def test_a_round_makes_the_bundle_that_it_lacks(chain, where, monkeypatch):
  first, second = chain(1)
  ran = []

  def run(cell, folders):
    ran.append(cell)
    (cell.workdir(folders) / 'export').mkdir(parents=True)

  monkeypatch.setattr(running, 'run', run)
  for _ in range(2):
    running._make_bundle(second.refines, where)
  assert ran == [first]
