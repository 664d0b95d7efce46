"""Forms taken apart, however their bytes arrive."""

from __future__ import annotations

import pytest

pytest.importorskip('fastapi')
pytest.importorskip('python_multipart')

from hypothesis import given
from hypothesis import strategies as st

from nph_jax.service import form_parts, forms, problems, spool

KIND = 'multipart/form-data; boundary=edge'
WHOLE = (
  b'--edge\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n'
  b'{"a": "\xc3\xbc"}\r\n'
  b'--edge\r\ncontent-disposition: form-data; name="features"; '
  b'filename="C:\\\\x\\\\\xc3\xbc.npy"\r\nContent-Type: a/b\r\n\r\n'
  b'one\r\n--edg\r\ntwo\r\n--edge--\r\n'
)


def parts(feature_bytes=1000):
  return form_parts.Parts(
    lambda: pytest.fail('no video was sent'),
    lambda limit: spool.Memory(limit, lambda count: None),
    feature_bytes,
  )


def take_apart(content, opened, kind=KIND, cuts=()):
  form = forms.Form(kind, opened.open)
  places = [0, *sorted(cuts), len(content)]
  for start, end in zip(places, places[1:], strict=False):
    form.write(content[start:end])
  form.end()


def refusal(content, kind=KIND):
  with pytest.raises(problems.Problem) as caught:
    take_apart(content, parts(), kind)
  return caught.value.status, caught.value.sentence


@given(st.lists(st.integers(0, len(WHOLE)), max_size=20))
def test_the_parts_are_the_same_wherever_it_is_cut(cuts):
  opened = parts()
  take_apart(WHOLE, opened, cuts=cuts)
  assert opened.text('metadata') == '{"a": "ü"}'
  assert bytes(opened.features.content) == b'one\r\n--edg\r\ntwo'
  assert opened.name == 'ü.npy' and opened.video is None


@pytest.mark.parametrize('end', [10, 60, 90, 200, len(WHOLE) - 5])
def test_a_form_that_breaks_off_is_refused(end):
  status, sentence = refusal(WHOLE[:end])
  assert status == 400 and 'breaks off' in sentence


@pytest.mark.parametrize(
  'content, kind, words',
  [
    (WHOLE, 'multipart/form-data', 'no boundary'),
    (WHOLE, 'multipart/form-data; boundary=', 'no boundary'),
    (WHOLE, 'multipart/form-data; boundary=other', 'is not one'),
    (WHOLE, 'multipart/form-data; boundary=' + 'x' * 5000, 'form'),
    (WHOLE.replace(b' name="metadata"', b''), KIND, 'without a name'),
    (WHOLE.replace(b'a/b', b'a' * 20_000), KIND, 'form'),
    (WHOLE.replace(b'a/b', b'a\r\nX: ' * 5_000 + b'a'), KIND, 'form'),
  ],
)
def test_what_is_no_form_is_refused(content, kind, words):
  status, sentence = refusal(content, kind)
  assert status == 400 and words in sentence


def test_few_texts_and_one_file_are_taken():
  text = b'--edge\r\nContent-Disposition: form-data; name="x"\r\n\r\ny\r\n'
  status, sentence = refusal(5 * text + b'--edge--')
  assert status == 400 and 'more than 4 texts' in sentence
  file = WHOLE[WHOLE.index(b'--edge\r\ncontent') : -len(b'--edge--\r\n')]
  status, sentence = refusal(2 * file + b'--edge--')
  assert status == 400 and 'one at a time' in sentence
  status, sentence = refusal(
    text.replace(b'name="x"', b'name="metadata"; filename="m"')
  )
  assert status == 422 and 'JSON text' in sentence
