"""The flags of the command: what it refuses, and in which words."""

from __future__ import annotations

import io
import os
import pathlib
import re
import socket
import subprocess
import sys

import pytest
import service_toy as toy

from nph_jax import errors, serve
from nph_jax.index import video_index

ROOT = pathlib.Path(__file__).parents[2]
HEAVY = ('jax', 'numpy', 'fastapi', 'uvicorn', 'av', 'torch', 'tensorflow')


def refusal(*flags, **environment):
  result = subprocess.run(
    [sys.executable, '-m', 'nph_jax.serve', *map(str, flags)],
    cwd=ROOT,
    env={**os.environ, **environment},
    capture_output=True,
    text=True,
    timeout=60,
  )
  assert result.returncode == 1 and result.stdout == ''
  assert result.stderr.startswith('error: ')
  assert result.stderr.count('\n') == 1 and 'Traceback' not in result.stderr
  return result.stderr


def test_another_bundle_is_refused(bundle, tmp_path):
  for number, (bits, digest, words) in enumerate(
    ((toy.NUM_BITS, '0' * 32, 'build another index'), (8, None, 'of 8 bits'))
  ):
    index = tmp_path / str(number)
    video_index.VideoIndex.create(index, bits, bundle_digest=digest).close()
    with pytest.raises(errors.UserError, match=words):
      serve.main([f'--index={index}', f'--bundle={bundle[0]}', '--port=0'])


def test_missing_folders_are_a_sentence(bundle, tmp_path):
  with pytest.raises(errors.UserError, match=f'{tmp_path}/no'):
    serve.main([f'--index={tmp_path}/no', f'--bundle={bundle[0]}', '--port=0'])
  assert '--stages=export' in refusal(
    f'--index={tmp_path}', f'--bundle={tmp_path}', '--port=0'
  )


@pytest.mark.parametrize(
  'flag, words',
  [
    ('--port=x', 'port'),
    ('--port=65536', 'port'),
    ('--port=-1', 'port'),
    ('--max_k=0', 'max_k'),
    ('--max_upload_mb=-1', 'max_upload_mb'),
    ('--batch_wait_ms=inf', 'batch_wait_ms'),
    ('--backbone=other', 'backbone'),
    ('--allowed_hosts=http://x', 'allowed_hosts'),
    ('--allowed_hosts=x:80', 'without a port'),
    ('--allowed_hosts=x,', 'allowed_hosts'),
    ('--trusted_proxies=*', 'trusted_proxies'),
    ('--nothing', 'nothing'),
  ],
)
def test_bad_flags_are_a_sentence(flag, words):
  with pytest.raises(errors.UserError, match=words):
    serve.main(['--index=x', '--bundle=y', flag])


def test_names_are_the_host_and_those_allowed():
  flags = serve._parser().parse_args(
    ['--index=x', '--bundle=y', '--host=a.example']
    + ['--allowed_hosts=b.example,c', '--allowed_hosts=d']
  )
  names = serve._setup(flags, None).hosts
  assert names == ('a.example', 'b.example', 'c', 'd')


def test_a_taken_port_is_a_sentence():
  with socket.create_server(('127.0.0.1', 0)) as taken:
    port = taken.getsockname()[1]
    with pytest.raises(errors.UserError, match='give another port'):
      serve.main(['--index=x', '--bundle=y', f'--port={port}'])


def test_a_token_comes_from_a_file_or_the_input(tmp_path, monkeypatch):
  file = tmp_path / 'token'
  file.write_text('secret\n')
  assert serve._token(str(file)) == 'secret'
  assert serve._token(None) is None
  monkeypatch.setattr('sys.stdin', io.StringIO('other\n'))
  assert serve._token('-') == 'other'
  for content in ('\n', 'ä\n'):
    file.write_text(content)
    with pytest.raises(errors.UserError, match='holds no token'):
      serve._token(str(file))
  with pytest.raises(errors.UserError, match='cannot be read'):
    serve._token(str(tmp_path))


def test_a_token_in_the_environment_is_refused(monkeypatch):
  """Every program of the same user reads it in /proc."""
  monkeypatch.setenv('NPH_TOKEN', 'secret')
  with pytest.raises(errors.UserError, match='--token_file') as caught:
    serve.main(['--index=x', '--bundle=y', '--port=0'])
  assert 'secret' not in str(caught.value)


def test_a_missing_package_is_a_sentence(monkeypatch, tmp_path):
  from nph_jax import service

  monkeypatch.setitem(sys.modules, 'uvicorn', None)
  monkeypatch.delitem(sys.modules, 'nph_jax.service.server', raising=False)
  monkeypatch.delattr(service, 'server', raising=False)
  with pytest.raises(errors.UserError, match=r"'nph-jax\[serve\]'"):
    serve.main([f'--index={tmp_path}', f'--bundle={tmp_path}', '--port=0'])


@pytest.mark.parametrize(
  'host, token, warned',
  [
    ('127.0.0.1', None, False),
    ('localhost', None, False),
    ('::1', None, False),
    ('0.0.0.0', 'x', False),
    ('0.0.0.0', None, True),
    ('some.example', None, True),
  ],
)
def test_an_open_address_without_a_token_is_warned_of(
  capsys, host, token, warned
):
  serve._warn_if_open(host, token)
  assert ('warning: ' in capsys.readouterr().err) == warned


def test_help_imports_nothing_heavy():
  result = subprocess.run(
    [sys.executable, '-X', 'importtime', '-m', 'nph_jax.serve', '--help'],
    cwd=ROOT,
    capture_output=True,
    text=True,
  )
  imported = re.findall(r'^import time:.*\| +(\S+)$', result.stderr, re.M)
  assert 'nph_jax.errors' in imported and not set(HEAVY) & set(imported)
  for flag in ('--index', '--token_file', '--max_upload_mb', '--read_only'):
    assert flag in result.stdout
