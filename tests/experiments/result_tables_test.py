"""The tables: means, deviations, gaps, the paper's numbers, marked blocks."""

import itertools
import re

import numpy as np
import pytest

from experiments import (
  cells,
  pages,
  paper,
  paper_tables,
  records,
  settings,
  summary,
)


def record(method, bits, seed, value, **more):
  return {
    'dataset': 'd',
    'method': method,
    'bits': bits,
    'seed': seed,
    'digest': 'x',
    'commit': 'abc',
    'videos': {'train': 100, 'query': 10, 'database': 20},
    'seconds': 36.0,
    'values': {},
    'map': {
      'min_rk,expected': {'5': value + 0.1, '20': value, '40': value},
      'k,expected': {'5': value / 2, '20': value / 2, '40': value / 2},
    },
    **more,
  }


def rows(text, table=0):
  """Cells by row name of one of the tables in `text`."""
  found = [p for p in text.split('\n\n') if p.startswith('|')][table]
  lines = found.splitlines()
  parts = [[c.strip() for c in line.strip('|').split('|')] for line in lines]
  return {part[0]: part[1:] for part in parts}


@pytest.mark.parametrize(
  'values, text',
  [
    ([], '-'),
    ([None], '-'),
    ([0.25], '.250'),
    ([0.1, 0.3], '.200 +- .100'),
    ([1.0, 1.0], '1.000 +- .000'),
    ([12.0, 14.0], '13.000 +- 1.000'),
  ],
)
def test_spread(values, text):
  assert records.spread(values) == text


def test_by_length_has_gaps_and_the_mean_of_whole_seeds():
  found = records.Results(
    [
      record('nph', bits, seed, 0.1 * seed + bits / 1000)
      for bits in (16, 32, 64)
      for seed in (1, 2)
      if (bits, seed) != (64, 2)
    ]
    + [record('itq', 32, 1, 0.5), record('cosine', 0, 1, 0.7)]
  )
  table = rows(records.by_length(found, found.methods, found.bits()))
  assert table['NPH'][:3] == ['.166 +- .050', '.182 +- .050', '.164']
  # Seed 2 lacks 64 bits: the mean is seed 1's.
  assert table['NPH'][3] == '.137'
  assert table['ITQ'] == ['-', '.500', '-', '-']
  assert table['pooled cosine, real-valued'] == ['.700'] * 4


def with_t(method, bits, seed, value, of_t):
  asymmetric = {'min_rk,expected': {'20': of_t}}
  return record(method, bits, seed, value, map_asymmetric=asymmetric)


def test_the_asymmetric_ranking_stands_in_brackets_where_it_was_measured():
  found = records.Results(
    [with_t('nph', 16, seed, 0.2, 0.3 + 0.1 * seed) for seed in (0, 1)]
    + [with_t('nph', 32, 0, 0.2, 0.5), record('nph', 32, 1, 0.4)]
    + [record('nph', 64, seed, 0.5) for seed in (0, 1)]
    + [with_t('itq', bits, 0, bits / 100, 0.5) for bits in (16, 32, 64)]
  )
  table = rows(records.by_length(found, found.methods, found.bits()))
  assert table['NPH'] == [
    '.200 +- .000 (.350)', '.300 +- .100 (.500)', '.500 +- .000',
    '.333 +- .033',
  ]  # fmt: skip
  assert table['ITQ'] == [
    '.160 (.500)', '.320 (.500)', '.640 (.500)', '.373 (.500)'
  ]  # fmt: skip


def test_a_method_without_a_name_is_listed_before_the_references():
  found = records.Results(
    record(name, 32, 0, 0.2) for name in ('random', 'newer', 'itq', 'nph')
  )
  assert found.methods == ['nph', 'itq', 'newer', 'random']
  assert list(rows(pages.by_k(found, 32)))[1:] == [
    '---', 'NPH', 'ITQ', 'newer', 'random codes',
  ]  # fmt: skip


def test_collapsed_codes_are_marked():
  found = records.Results(
    [with_t('plain', 32, 0, 0.1, 0.2), record('itq', 32, 0, 0.4)]
    + [record('plain', 16, seed, 0.1, bit_entropy=seed / 4) for seed in (0, 1)]
    + [record('plain', 64, 0, 0.1, bit_entropy=0.9)]
  )
  table = rows(records.by_length(found, found.methods, found.bits()))
  assert table['Plain'][:3] == [
    '.100 +- .000 *collapsed*', '.100 (.200)', '.100',
  ]  # fmt: skip
  assert table['ITQ'][1] == '.400'


def test_lengths_tell_what_each_gave_and_which_was_chosen(
  tmp_path, monkeypatch
):
  monkeypatch.setitem(settings.EPOCHS, 'digits', {'itq': 20})
  for epochs in (20, 5):
    about = {'steps': 10 * epochs, 'bit_entropy': 0.9, 'train_cpu_seconds': 7.2}
    cells.write(
      tmp_path / 'lengths' / f'digits-e{epochs}' / 'itq-32-0.json',
      record('itq', 32, 0, epochs / 100, **about),
    )
  page = pages.every_page(tmp_path)['lengths']
  lines = [x for x in page.splitlines() if x.startswith('| digits')]
  assert [re.split(r' *\| *', x)[2:-1] for x in lines] == [
    ['ITQ', '5', '50', '.050', '0.90', '7', ''],
    ['ITQ', '20', '200', '.200', '0.90', '7', 'yes'],
  ]


def test_by_k_leaves_out_what_was_not_measured():
  found = records.Results([record('nph', 32, 0, 0.2)])
  table = rows(pages.by_k(found, 32))
  assert table['NPH'] == ['.300', '-', '.200', '.200', '-', '-', '-']


def test_the_ablation_stands_beside_the_paper():
  values = {'plain': 0.1, 'neibcat': 0.3, 'nph_paper': 0.2}
  found = [record(name, 32, 0, value) for name, value in values.items()]
  page = paper_tables.ablation_page({'digits': records.Results(found)})
  ours, both = rows(page), rows(page, 1)
  assert ours['NPH (paper)'][0] == '.200' and ours['FullCNN'][0] == '-'
  # Divided by K, beside the paper's.
  name = 'NPH (paper)'
  assert both[name][0] == '.100' and both[name][5] == '.246'
  assert both['FullCNN'][0] == '-' and both['FullCNN'][5] == '.189'
  assert 'NeibCat > NPH (paper) > Plain' in page
  assert 'order: ' not in page  # of all eight, or not at all
  assert '64 bits' not in page


def test_the_order_of_all_ablations_against_the_papers():
  # As in the paper but for NeibCat, which five methods should be above.
  places = dict(zip(settings.ABLATIONS, range(8)))
  places['neibcat'] = -1
  found = [record(m, 64, 0, 0.5 + p / 100) for m, p in places.items()]
  page = paper_tables.ablation_page({'digits': records.Results(found)})
  published = {m: v[20] for m, v in paper.ABLATION[64].items()}
  pairs = [
    (places[a] - places[b]) * (published[a] - published[b])
    for a, b in itertools.combinations(places, 2)
  ]
  tau = np.mean(np.sign(pairs))
  assert f"tau with the paper's order: {tau:.2f}." in page


def test_published_numbers_of_a_data_set():
  found = [record('nph_paper', 64, 0, 0.5), record('itq', 64, 0, 0.4)]
  page = pages.dataset_page('fcvid', records.Results(found))
  (part,) = (p for p in page.split('\n\n') if 'published @20' in p)
  row = rows(part)['NPH (paper)']
  assert row[1] == '.250' and row[7] == '.287'
  assert 'ITQ' not in rows(part)
  assert 'published' not in pages.dataset_page('d', records.Results(found))


def test_the_origin_tells_ranges_and_mixed_configurations():
  one, other = record('nph', 32, 0, 0.5), record('nph', 32, 1, 0.5)
  assert 'configuration' not in records.origin(records.Results([one, other]))
  other['videos'] = {**other['videos'], 'train': 104}
  other['values'] = {'train.num_steps': 7, 'data.query.features': 'b.npy'}
  text = records.origin(records.Results([one, other]))
  assert text.startswith('100 to 104 training videos, 10 queries')
  assert 'in all cells: NPH;' in text


def test_transfer_pages(tmp_path):
  folder = tmp_path / 'table1_unseen' / 'digits'
  cells.write(folder / 'nph_paper-32-0.json', record('nph_paper', 32, 0, 0.4))
  found = pages.every_page(tmp_path)
  assert set(found) == {'table1_unseen'}
  table = rows(found['table1_unseen'])
  assert table['NPH (paper)'] == ['.500', '.400', '.400', '-']
  table = rows(found['table1_unseen'], 1)
  assert table['NPH (paper)'][:4] == ['.200', '.200', '.200', '-']
  assert table['NPH (paper)'][4:] == ['.306', '.175', '.109', '.079']


def test_write_all_and_the_marked_blocks(tmp_path):
  results = tmp_path / 'results'
  cells.write(results / 'digits' / 'nph-32-0.json', record('nph', 32, 0, 0.25))
  readme = tmp_path / 'README.md'
  block = '<!-- table {} -->\nold\n<!-- end -->'
  kept = block.format('absent')
  readme.write_text(f'# T\n\n{block.format("digits")}\nmiddle\n{kept}\n')
  for _ in range(2):  # the second time changes nothing
    pages.main([f'--results={results}', f'--readme={readme}'])
  text = readme.read_text()
  assert (results / 'digits.md').read_text().startswith('# digits\n')
  assert '### digits' in text and '| NPH | .250 | - |' in text
  assert text.count('old') == 1 and kept in text and 'middle' in text
  assert 'commit abc' in text


def test_an_empty_folder_has_no_pages(tmp_path):
  assert pages.every_page(tmp_path) == {}
  assert not records.Results.read(tmp_path / 'none')


def test_the_summary_has_a_column_pair_for_each_data_set():
  first = records.Results(
    [record('nph', bits, 0, bits / 100) for bits in (16, 32, 64)]
    + [record('dh', 32, 0, 0.4)]
  )
  second = records.Results([record('itq', 32, seed, 0.5) for seed in (0, 1)])
  text = summary.page({'a': first, 'b': second})
  table = rows(text)
  assert table[''] == [
    'a, 32 bits', 'mean of 16, 32, 64 bits',
    'b, 32 bits', 'mean of 16, 32, 64 bits',
  ]  # fmt: skip
  assert table['NPH'] == ['.320', '.373', '-', '-']
  assert table['DH'] == ['.400', '-', '-', '-']
  assert table['ITQ'] == ['-', '-', '.500 +- .000', '-']
  assert summary.page({}) == ''


def test_the_headline_has_the_first_set_by_length_then_the_others():
  first = records.Results(
    [record('nph', b, 0, b / 100) for b in (16, 64)]
    + [record('nph', 32, 0, 0.32, steps=200, train_cpu_seconds=7.2)]
    + [record('neibcat', bits, 0, 0.4) for bits in (16, 32, 64)]
  )
  second = records.Results([record('itq', 32, 0, 0.5)])
  page = summary.headline({'a': first, 'b': second})
  table = rows(page)
  assert list(table) == ['', '---', 'NPH']
  assert table['NPH'] == ['.160', '.320', '.640', '200', '7']
  assert rows(page, 1) == {
    '': ['b, 32 bits'], '---': ['---'], 'ITQ': ['.500']
  }  # fmt: skip
  assert summary.headline({}) == ''
