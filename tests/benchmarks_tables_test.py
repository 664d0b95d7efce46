"""The benchmark's tables, from results as the parts write them."""

import json

import pytest

from benchmarks import sizes, table
from nph_jax import errors

SIZE = sizes.Size(batch=32, num_frames=3, frame_dim=1024, num_bits=64)
ABOUT = {
  'cpu': 'a processor',
  'cores': 2,
  'instructions': ['avx2', 'fma'],
  'memory_bytes': 8 * 2**30,
  'versions': {'python': '3.11.7', 'jax': '0.10.2'},
  'date': '2026-11-22T18:00+00:00',
  'commit': '0123456789abcdef',
  'changed': True,
  'load': 0.25,
}
NAMES = ('ours float32', 'ours bfloat16', 'literal scan', 'PyTorch float32')


@pytest.fixture
def results(tmp_path):
  """Results as four of the parts write them."""
  size = SIZE._asdict()
  names = dict(zip(NAMES, (0.5, 0.25, 1.0, 2.0)))
  floor = {'flops': 2e9, 'bytes': 3e9, 'seconds': 0.1, 'fraction': 0.2}
  by_part = {
    'step': {
      'fcvid': {
        'size': size,
        'seconds': names,
        'rates': {'copy': 5e9, 'jax float32': 4e11},
        'first_step': names,
        'first_step_again': {'ours float32': 0.5},
        'peak_bytes': dict.fromkeys(names, 2**30),
        'missing': {'PyTorch compiled': 'did not compile within 300 s'},
        'floor': {'ours float32': floor},
      }
    },
    'encode': {
      'fcvid': {
        'size': size,
        'videos_per_second': {
          '256': {
            'ours float32': 300,
            'ours bfloat16': 600,
            'PyTorch float32': 100,
          }
        },
        'first_code': {'ours float32': 1.5},
        'peak_bytes': {'ours float32': 2**29},
      }
    },
    'evaluate': {
      'num_codes': [10, 100],
      'num_bits': 64,
      'seconds': [0.1, 1.0],
      'peak_bytes': [2**30, 2**31],
      'slope': 1.0,
    },
    'pipeline': {
      'size': size,
      'num_videos': 1500,
      'alone': {
        'stream': {
          'first_batch': 0.1,
          'videos_per_second': 12345.0,
          'bytes_before': 2**29,
          'peak_bytes': 2**30,
        }
      },
      'steps': {
        'float32': {
          'seconds': {'memory': 0.5, 'stream': 0.51},
          'overhead': 0.02,
        }
      },
    },
  }
  for name, values in by_part.items():
    content = json.dumps({'machine': ABOUT, 'results': values})
    (tmp_path / f'{name}.json').write_text(content)
  return tmp_path


def rows(text):
  """The cells of every line of a table, by the first cell."""
  lines = [x for x in text.splitlines() if x.startswith('| ')]
  cells = [[c.strip() for c in line.strip('|').split('|')] for line in lines]
  found = {}
  for first, *rest in cells:
    found.setdefault(first, []).append(rest)
  return found


def test_tables_say_what_was_measured(results):
  text = table.text(results)
  found = rows(text)
  seconds = ['0.500', '0.250', '1.000', '2.000', 'did not compile within 300 s']
  assert found['fcvid, 32 x 3 x 1024, 64 bits'] == [seconds]
  ratios, floor, start = found['fcvid, ours float32'][:3]
  assert ratios == ['2.0', '4.0', '-']
  assert floor == ['2.0', '3.00', '0.100', '0.500', '20%']
  assert start == ['0.5', '0.5', '1.00']
  assert found['fcvid, PyTorch float32'] == [['2.0', '-', '1.00']]
  assert found['fcvid, ours bfloat16'][0] == ['4.0', '8.0', '-']
  assert found['fcvid, batch 256'] == [['300', '600', '100']]
  assert found['fcvid, batch 256, ours bfloat16'] == [['6.0']]
  assert found['100'] == [['1.00', '2.00']]
  assert found['stream'] == [['0.1', '12,345', '0.50', '1.00']]
  assert found['float32'] == [['0.500', '0.510', '+2.0%']]
  about = (
    '2026-11-22, commit 0123456 with uncommitted changes; load before the '
    'first part 0.2.'
  )
  assert text.count(about) == 4


def test_tables_are_rectangular(results):
  widths = {}
  for line in table.text(results).splitlines():
    if not line.startswith('|'):
      widths = {}
    elif widths:
      assert (line.count('|'), len(line)) == widths
    if line.startswith('|'):
      widths = (line.count('|'), len(line))


def test_parts_without_results_are_left_out(results):
  for name in ('step', 'pipeline'):
    (results / f'{name}.json').unlink()
  text = table.text(results)
  assert '## Encoding' in text
  assert '## Training step' not in text and '## Input pipeline' not in text


def test_rewriting_touches_the_marked_block_alone(
  results, tmp_path, monkeypatch
):
  path = tmp_path / 'README.md'
  path.write_text(f'before\n{table.BEGIN}\nold\n{table.END}\nafter\n')
  monkeypatch.setattr(table, 'RESULTS', results)
  monkeypatch.setattr(table, 'README', path)
  table.rewrite()
  once = path.read_text()
  assert once.startswith(f'before\n{table.BEGIN}\n')
  assert once.endswith(f'\n{table.END}\nafter\n')
  assert 'old' not in once and '## Evaluation' in once
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
  (results / 'step.json').write_text('{')
  with pytest.raises(errors.UserError, match='step.json: is not readable JSON'):
    table.text(results)


def test_the_readme_has_room_for_tables():
  text = table.README.read_text()
  assert text.count(table.BEGIN) == text.count(table.END) == 1
