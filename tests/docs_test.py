"""The documentation builds, and what its pages say can be done."""

import importlib.util
import json
import pathlib
import re
import subprocess
import sys
import types

import jax
import methods
import numpy as np
import pytest

from docs import figure
from nph_jax import __main__ as program
from nph_jax.models import registry
from nph_jax.models.config import Sizes

ROOT = pathlib.Path(__file__).parent.parent
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]
TEXTS = {page.name: page.read_text() for page in PAGES}


@pytest.fixture(scope='module')
def site(tmp_path_factory):
  for package in ('mkdocs', 'material', 'mkdocstrings', 'latex2mathml'):
    if importlib.util.find_spec(package) is None:
      pytest.skip(f"{package} is not installed: pip install -e '.[docs]'")
  out = tmp_path_factory.mktemp('site')
  # Strict, says mkdocs.yml: a link to nothing fails.
  command = [sys.executable, '-m', 'mkdocs', 'build', f'--site-dir={out}']
  built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
  assert built.returncode == 0, built.stderr
  return out


def test_the_site_has_every_page_and_finds_its_way_between_them(site):
  for name in TEXTS:
    page = '' if name == 'README.md' else pathlib.Path(name).stem
    assert (site / page / 'index.html').is_file(), name
  home = (site / 'index.html').read_text()
  assert 'href="quickstart/"' in home and 'src="figure.png"' in home
  assert 'docs/' not in re.sub('(?s)<pre.*?</pre>', '', home)
  results = (site / 'results' / 'index.html').read_text()
  assert 'href="../experiments/neighbors/"' in results


def test_equations_are_mathml_and_docstrings_the_api(site):
  methods = (site / 'methods' / 'index.html').read_text()
  assert methods.count('<math') == TEXTS['methods.md'].count('\n$$\n') / 2
  assert '$$' not in methods
  api = (site / 'api' / 'index.html').read_text()
  assert 'id="nph_jax.export.Hasher.encode"' in api
  assert 'S in {-1, 1}, [B, B2].' in api


def test_links_lead_to_files():
  links = re.compile(r'\]\((?!\w+:|#)([^)#\s]+)')
  for page in PAGES:
    for target in links.findall(page.read_text()):
      assert (page.parent / target).exists(), f'{page.name}: {target}'


def test_the_readme_is_short_and_keeps_its_table():
  text = TEXTS['README.md']
  assert len(text.splitlines()) <= 200
  assert (
    text.count('<!-- table headline -->') == text.count('<!-- end -->') == 1
  )
  assert '<!-- table summary -->' in TEXTS['results.md']


def test_the_page_of_methods_names_every_method():
  named = set(re.findall(r'`(\w+)`', TEXTS['methods.md']))
  assert not set(registry.METHODS) - named


def test_files_and_modules_that_pages_name_are_there():
  text = '\n'.join(TEXTS.values())
  packages = 'nph_jax|configs|examples|experiments|benchmarks|tests'
  for path in re.findall(rf'(?:{packages})/[a-z\d_/-]+\.[a-z]+', text):
    assert (ROOT / path).exists() or path.endswith('/lsh.py'), path
  for module in re.findall(rf'python -m ((?:{packages})[\w.]*)', text):
    assert importlib.util.find_spec(module), module
  commands = {*re.findall(r'nph-jax ([a-z]+) ', text)}
  assert commands == {*program.LIBRARY, *program.MODULES}


def test_the_worked_method_is_what_its_page_says():
  """The page's file, run as it stands, against the sentence above it."""
  (source,) = re.findall(r'```python\n(.*?)```', TEXTS['add_method.md'], re.S)
  module = types.ModuleType('lsh')
  exec(source, module.__dict__)
  frames = np.random.default_rng(0).normal(size=(40, 5, 16)).astype(np.float32)
  method = module.ENTRY.build(Sizes(8, 5, 16), None, {})
  tables = method.fit_tables(methods.features(frames), jax.random.key(0))
  means = frames.astype(np.float64).mean(axis=1)
  expected = (means - means.mean(axis=0)) @ tables['projection']
  found = method.relaxed_code(tables, frames, None)
  np.testing.assert_allclose(found, expected, atol=1e-4)
  assert np.linalg.matrix_rank(tables['projection']) == 8
  assert "'lsh': lsh.ENTRY," in TEXTS['add_method.md']


def test_the_figure_is_drawn_from_a_run(tmp_path):
  (tmp_path / 'codes').mkdir()
  data = {'num_frames': 6, 'canvas': 9}
  (tmp_path / 'config.json').write_text(json.dumps({'seed': 0, 'data': data}))
  bits = np.random.default_rng(0)
  for split, number in (('query', 1), ('database', 1000)):
    codes = bits.integers(0, 256, (number, 2), np.uint8)
    np.save(tmp_path / 'codes' / f'{split}.npy', codes)
  figure.draw(tmp_path, tmp_path / 'figure.png')
  assert (tmp_path / 'figure.png').read_bytes().startswith(b'\x89PNG')
  with pytest.raises(figure.errors.UserError, match='make demo'):
    figure.draw(tmp_path / 'nothing', tmp_path / 'figure.png')
