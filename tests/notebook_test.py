"""The notebook runs from top to bottom, at a size that takes seconds."""

import pathlib

import nbclient
import nbformat
import pytest

PATH = pathlib.Path(__file__).parents[1] / 'examples' / 'quickstart.ipynb'


@pytest.fixture
def notebook():
  return nbformat.read(PATH, as_version=4)


def test_the_repository_holds_no_outputs(notebook):
  cells = [cell for cell in notebook.cells if cell.cell_type == 'code']
  assert not [cell.source for cell in cells if cell.outputs]
  assert not [cell.source for cell in cells if cell.execution_count]


def test_it_runs_and_shows_what_it_says(notebook, tmp_path, monkeypatch):
  (sizes,) = [
    c for c in notebook.cells if 'parameters' in c.metadata.get('tags', ())
  ]
  sizes.source = 'num_videos, num_frames, num_steps = 100, 3, 20'
  monkeypatch.setenv('MPLBACKEND', 'module://matplotlib_inline.backend_inline')
  client = nbclient.NotebookClient(
    notebook, timeout=None, resources={'metadata': {'path': str(tmp_path)}}
  )
  client.execute()
  outputs = [o for cell in notebook.cells for o in cell.get('outputs', ())]
  pictures = [o for o in outputs if 'image/png' in o.get('data', ())]
  text = ''.join(o.text for o in outputs if o.output_type == 'stream')
  assert len(pictures) == 5
  assert 'ITQ: mAP@20 0.' in text and 'NPH: mAP@20 0.' in text
  assert list(tmp_path.iterdir()) == []
