"""For mkdocs: pages that lie elsewhere in the checkout, links, equations.

Every page is written to be read in the checkout, where its links are relative
to the file. Here they are turned into those of the site. A link to a file that
the site does not show becomes its text; one to nothing is a warning, which
fails the build.
"""

from __future__ import annotations

import logging
import pathlib
import posixpath
import re

from latex2mathml import converter
from mkdocs.structure.files import File, Files

_ROOT = pathlib.Path(__file__).parent.parent
_ELSEWHERE = (
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'README.md',
  'benchmarks/README.md',
  'experiments/README.md',
  'experiments/earlier.md',
  'experiments/neighbors.md',
  'nph_jax/service/README.md',
)
_LINK = re.compile(r'(!?)\[([^\]]*)\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)')
_EQUATION = re.compile(r'^\$\$\n(.*?)\n\$\$$', re.MULTILINE | re.DOTALL)
_log = logging.getLogger('mkdocs.hooks')


def on_files(files: Files, config) -> Files:
  """Adds the pages that are not in docs/."""
  for place in _ELSEWHERE:
    path = _ROOT / place
    if path.is_file():
      files.append(File.generated(config, place, abs_src_path=str(path)))
  return files


def on_page_markdown(markdown: str, page, config, files: Files) -> str:
  """Turns links of the checkout into the site's, and equations into MathML."""
  del config
  here = page.file.src_uri
  folder = posixpath.dirname(here if here in _ELSEWHERE else f'docs/{here}')

  def link(match: re.Match[str]) -> str:
    picture, text, target, anchor = match.groups()
    place = posixpath.normpath(posixpath.join(folder, target))
    on_site = place.removeprefix('docs/')
    if files.get_file_from_path(on_site):
      target = posixpath.relpath(on_site, posixpath.dirname(here) or '.')
      return f'{picture}[{text}]({target}{anchor or ""})'
    if not (_ROOT / place).exists():
      _log.warning('%s: links to %s, which is missing', here, place)
    return text

  return _EQUATION.sub(_mathml, _LINK.sub(link, markdown))


def _mathml(match: re.Match[str]) -> str:
  equation = converter.convert(match[1], display='block')
  return f'<p>{equation}</p>'
