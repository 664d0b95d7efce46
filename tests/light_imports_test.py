"""What is imported at once: nobody waits for what he does not use."""

import re

import pytest
from programs import loaded, run

HEAVY = (
  'flax jax matplotlib numpy optax orbax scipy sklearn tensorflow '
  'tensorflow_datasets'
)
HELP = """
import sys
from nph_jax import __main__
sys.argv[1:] = {}
try: __main__.main()
except SystemExit as end: assert not end.code
"""
# Whatever reads flags, before it has read any.
COMMANDS = """
import importlib
from nph_jax import __main__, serve
for name in __main__.MODULES.values(): importlib.import_module(name)
"""
MISTAKE = """
from nph_jax import errors
from nph_jax.index import __main__ as index
try: index.main(['search'])
except errors.UserError: pass
"""


@pytest.mark.parametrize(
  ('code', 'heavy'),
  [
    ('import nph_jax', HEAVY),
    ('import nph_jax.data.sources, nph_jax.data.blocks',
     'tensorflow jax sklearn'),
    ('import nph_jax.extraction.backbones, nph_jax.extraction.decoding',
     'tensorflow keras onnxruntime jax av PIL h5py'),
    ('import nph_jax.metric_writer', 'tensorboardX'),
    ('import nph_jax.retrieval.evaluate',
     'jax flax tensorflow matplotlib sklearn'),
    ('import nph_jax.data.quiet_tensorflow, os\n'
     'assert "TF_USE_LEGACY_KERAS" not in os.environ', 'keras pandas'),
    (COMMANDS, 'jax tensorflow torch'),
    (MISTAKE, 'numpy faiss jax sqlite3'),
    *((HELP.format(flags), 'numpy jax absl')
      for flags in ([], ['--help'], ['add', '--help'], ['search', '--help'])),
  ],
)  # fmt: skip
def test_nothing_heavy_is_loaded(code, heavy):
  assert not set(heavy.split()) & loaded(code)


def test_help_of_the_main_job_loads_nothing_heavy():
  done = run('-X', 'importtime', '-m', 'nph_jax.main', '--help')
  found = set(re.findall(r'^import time:.*\| +(\S+)$', done.stderr, re.M))
  assert 'nph_jax.configuration' in found and not set(HEAVY.split()) & found
  assert '--workdir' in done.stdout and '--config' in done.stdout
  assert not done.returncode
