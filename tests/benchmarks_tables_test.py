"""The benchmark's tables, from the results that are committed."""

import json
import shutil

import pytest

from benchmarks import machine, speed_tables, table
from nph_jax import errors


@pytest.fixture
def results(tmp_path):
  """A copy of the committed results."""
  return shutil.copytree(table.RESULTS, tmp_path / 'results')


def rows(text):
  """The cells of every line of a table, by the first cell."""
  found = {}
  for line in text.splitlines():
    if line.startswith('| '):
      first, *rest = (cell.strip() for cell in line.strip('|').split('|'))
      found.setdefault(first, []).append(rest)
  return found


def test_the_readme_has_what_the_results_say():
  _, _, rest = table.README.read_text().partition(table.BEGIN)
  block, end, _ = rest.partition(table.END)
  assert end and block.strip('\n') == table.text(table.RESULTS)


def test_ratios_are_of_the_seconds_and_what_is_missing_says_why():
  path = sorted(table.RESULTS.glob('*/step.json'))[0]
  (size, step), *_ = json.loads(path.read_text())['results'].items()
  names = 'ours float32', 'ours bfloat16', 'PyTorch float32'
  step['seconds'] = dict(zip(names, (0.5, 0.25, 2.0)))
  step['floor'] = {'ours float32': step['floor']['ours float32']}
  step['missing'] = {'compiled': 'did not compile within 300 s'}
  found = rows(speed_tables.step({size: step}))
  assert found[f'{size}, ours float32'][0] == ['4.0', '-']
  assert found[f'{size}, ours bfloat16'][0] == ['8.0', '-']
  (seconds,) = (cells for name, (cells, *_) in found.items() if 'bits' in name)
  assert seconds == ['0.500', '0.250', '2.000', 'did not compile within 300 s']


def test_tables_are_rectangular():
  widths = {}
  for line in table.text(table.RESULTS).splitlines():
    if not line.startswith('|'):
      widths = {}
    elif widths:
      assert (line.count('|'), len(line)) == widths
    if line.startswith('|'):
      widths = (line.count('|'), len(line))


def test_parts_without_results_are_left_out(results):
  for name in ('step', 'pipeline'):
    for path in results.glob(f'*/{name}.json'):
      path.unlink()
  text = table.text(results)
  assert '## Encoding' in text
  assert '## Training step\n' not in text and '## Input pipeline' not in text


def test_two_processors_of_one_name_stand_side_by_side(tmp_path):
  path = sorted(table.RESULTS.glob('*/evaluate.json'))[0]
  results = json.loads(path.read_text())['results']
  about = {**machine.describe(), 'load': 0.0, 'cpu': 'AMD (R) EPYC'}
  for family in ('25', '26'):
    about['family'], about['model'] = family, '1'
    table.write(tmp_path, 'evaluate', about, results)
  names = [path.parent.name for path in sorted(tmp_path.glob('*/*.json'))]
  assert names == ['amd-r-epyc-25-1', 'amd-r-epyc-26-1']
  text = table.text(tmp_path)
  assert text.count('## Evaluation') == 1
  assert 'AMD (R) EPYC family 25 model 1' in text and 'family 26' in text


def test_rewriting_touches_the_marked_block_alone(
  results, tmp_path, monkeypatch
):
  path = tmp_path / 'README.md'
  path.write_text(f'before\n{table.BEGIN}\nstale\n{table.END}\nafter\n')
  monkeypatch.setattr(table, 'RESULTS', results)
  monkeypatch.setattr(table, 'README', path)
  table.rewrite()
  once = path.read_text()
  assert once.startswith(f'before\n{table.BEGIN}\n')
  assert once.endswith(f'\n{table.END}\nafter\n')
  assert 'stale' not in once and '## Evaluation' in once
  table.rewrite()
  assert path.read_text() == once


@pytest.mark.parametrize(
  'text', ['nothing', table.BEGIN, f'{table.END}{table.BEGIN}']
)
def test_a_readme_without_its_marks_is_left_alone(text, tmp_path):
  path = tmp_path / 'README.md'
  path.write_text(text)
  with pytest.raises(errors.UserError, match='needs the lines'):
    table.replace_block(path, 'content')
  assert path.read_text() == text


def test_damaged_results_are_named(results):
  path = sorted(results.glob('*/step.json'))[0]
  path.write_text('{')
  with pytest.raises(errors.UserError, match='step.json: is not readable JSON'):
    table.text(results)
