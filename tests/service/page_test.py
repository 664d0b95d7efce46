"""The page in a real browser: what a person does with it."""

from __future__ import annotations

import pytest

pytest.importorskip('fastapi')
pytest.importorskip('av')
pytest.importorskip('httpx')

import browser as browser_lib
import service_toy as toy
from starlette import requests, responses

MISSING = browser_lib.missing()
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f'no {MISSING}')

CARDS = 'document.querySelectorAll(".card").length'
EVIL = '<img src=x onerror="window.evil = true">'


@pytest.fixture(scope='module')
def window(tmp_path_factory):
  with browser_lib.started(tmp_path_factory.mktemp('browser')) as window:
    yield window


@pytest.fixture
def page(window, served):
  """The page, freshly opened and showing the indexed videos."""
  window.size(1280, 900)
  window.colours('light')
  window.problems()
  window.open(served.address)
  window.wait(f'{CARDS} === 24')
  return window


def ids(page):
  return page.run(
    'return [...document.querySelectorAll(".card")].map(c => +c.dataset.id)'
  )


def searched(page):
  page.wait('document.querySelector(".card .rank:not(:empty)")')
  page.wait('!document.body.classList.contains("busy")')


def focused(page):
  return page.run(
    'const e = document.activeElement;'
    'return e.id || e.className + " " + e.closest(".card")?.dataset.id'
  )


def toast(page):
  page.wait('!document.getElementById("toast").hidden')
  return page.text('#toast-text')


def test_it_shows_the_index_page_by_page(page):
  facts = page.text('#facts')
  for fact in ('44 videos', '32 bits', 'flat engine', 'linear codes'):
    assert fact in facts
  assert ids(page) == list(range(24))
  assert page.text('#range') == '1–24 of 44'
  page.click('#next')
  page.wait(f'{CARDS} === 20')
  assert ids(page) == list(range(24, 44))
  assert page.text('#range') == '25–44 of 44'
  page.click('#previous')
  page.wait(f'{CARDS} === 24')
  assert page.problems() == []


def test_an_indexed_video_is_searched_with(page, served):
  page.click('.card[data-id="0"] .similar')
  searched(page)
  t, others = served.service.index.get(0)[1], list(range(1, 44))
  expected = toy.ranked(t, served.codes[1:], others, 24)
  assert ids(page) == [id for _, id in expected]
  distance, id = expected[0]
  card = f'.card[data-id="{id}"]'
  assert page.text(f'{card} .number') == f'{distance} of 32 bits differ'
  drawn = page.run(
    'return document.querySelector(arguments[0]).getAttribute("d")',
    f'{card} .bits path',
  )
  assert drawn.count('M') == distance
  assert page.text('#query-name') == 'one.webm'
  assert page.text('#query-labels') == 'cat'
  colours = page.run(
    'const at = c => document.querySelector(c);'
    'const border = c => c && getComputedStyle(c).borderTopColor;'
    'return [border(at(".card.right")), border(at(".card.wrong"))]'
  )
  assert colours == ['rgb(18, 129, 74)', 'rgb(197, 53, 43)']
  right = page.run(
    'return [...document.querySelectorAll(".card.right")]'
    '.map(c => +c.dataset.id)'
  )
  assert right == [1]
  assert 'id=0' in page.run('return location.search')
  assert 'ordered by real values' in page.text('#status')
  page.run(
    'const rank = document.getElementById("rank"); rank.value = "hamming";'
    'rank.dispatchEvent(new Event("change", {bubbles: true}))'
  )
  expected = toy.nearest(served.codes[0], served.codes[1:], others, 24)
  page.wait(
    f'[...document.querySelectorAll(".card")].map(c => c.dataset.id).join()'
    f' === "{",".join(str(id) for _, id in expected)}"'
  )
  assert 'real values' not in page.text('#status')
  page.run('history.back()')
  page.wait('document.getElementById("query").hidden')
  assert page.problems() == []


def test_a_video_is_uploaded_and_found(page, clips):
  page.type('#file', str(clips / 'dog' / 'three.webm'))
  searched(page)
  assert page.text('#query-name') == 'three.webm'
  assert ids(page)[0] == 3 and page.text('.number') == '0 of 32 bits differ'
  page.wait('document.querySelector("#query-stage video").readyState >= 2')
  page.run('document.getElementById("k").value = "12"')
  page.run(
    'document.getElementById("k")'
    '.dispatchEvent(new Event("change", {bubbles: true}))'
  )
  page.wait(f'{CARDS} === 12')
  assert page.problems() == []


def test_a_video_that_no_browser_plays_is_uploaded(page, clips):
  page.type('#file', str(clips / 'dog' / 'four.avi'))
  searched(page)
  assert ids(page)[0] == 2
  page.wait(
    'document.querySelector("#query-stage img")?.src.startsWith("data:image")'
  )


def test_a_dropped_video_is_searched_with(page, clips):
  content = (clips / 'cat' / 'two.mp4').read_bytes()
  page.run(
    'const transfer = new DataTransfer();'
    'transfer.items.add(new File([new Uint8Array(arguments[0])], "two.mp4"));'
    'for (const name of ["dragenter", "drop"]) document.body.dispatchEvent('
    'new DragEvent(name, {bubbles: true, cancelable: true, '
    'dataTransfer: transfer}))',
    list(content),
  )
  searched(page)
  assert ids(page)[0] == 1 and page.text('#query-name') == 'two.mp4'


def test_a_click_plays(page):
  page.click('.card[data-id="0"] .picture')
  playing = 'document.querySelector("#player video")'
  page.wait(f'{playing}.currentTime > 0.1 && !{playing}.paused')
  page.press('escape')
  page.wait(f'!document.getElementById("player").open && !{playing}')


def test_a_hover_plays_and_stops(page):
  page.hover('.card[data-id="3"] .picture')
  playing = 'document.querySelector(".card[data-id=\\"3\\"] video")'
  page.wait(f'{playing} && {playing}.currentTime > 0.1')
  assert page.run(f'return {playing}.muted')
  page.hover('#home')
  page.wait(f'!{playing}')


def test_what_browsers_cannot_play_is_shown_in_frames(page):
  page.click('.card[data-id="2"] .picture')
  image = 'document.querySelector("#player-stage img")'
  page.wait(f'{image}?.complete && {image}.naturalWidth > 0')
  assert page.run(f'return {image}.src').endswith('/videos/2/preview')
  assert 'ten of its frames' in page.text('#player-note')
  page.click('#player-search')
  searched(page)
  assert page.text('#query-name') == 'four.avi'


def test_a_video_without_a_file_is_shown_as_its_code(page):
  page.wait(
    'document.querySelector(".card[data-id=\\"9\\"] img").naturalWidth > 0'
  )
  page.click('.card[data-id="9"] .picture')
  page.wait('document.querySelector("#player-stage img")?.naturalWidth > 0')
  assert 'not on this machine' in page.text('#player-note')


def test_errors_are_shown_and_go_away(page, tmp_path):
  (tmp_path / 'notes.mp4').write_text('no video at all')
  page.type('#file', str(tmp_path / 'notes.mp4'))
  assert 'is not a video that this service reads' in toast(page)
  page.press('escape')
  assert page.run('return document.getElementById("toast").hidden')
  assert page.run(f'return {CARDS}') == 24
  (tmp_path / 'long.webm').write_bytes(b'\0' * (5 << 20))
  page.type('#file', str(tmp_path / 'long.webm'))
  assert 'takes 4 MiB at most' in toast(page)
  page.click('#toast-close')
  page.run('document.getElementById("toast-text").textContent = ""')
  page.type('#file', str(toy.npy_file(tmp_path / 'wrong.npy')))
  assert 'shape (2, 2)' in toast(page)


def test_an_unknown_id_in_the_address_is_an_error(page, served):
  page.open(f'{served.address}/?id=999')
  assert toast(page) == 'the index: no video with id 999.'


def test_the_keyboard_does_all_of_it(page):
  for _ in range(40):
    if focused(page) == 'picture 0':
      break
    page.press('tab')
  assert focused(page) == 'picture 0'
  outline = page.run(
    'return getComputedStyle(document.activeElement).outlineWidth'
  )
  assert outline == '3px'
  page.press('right', 'right')
  assert focused(page) == 'picture 2'
  page.press('left')
  page.press('down')
  columns = page.run(
    'return getComputedStyle(document.getElementById("list"))'
    '.gridTemplateColumns.split(" ").length'
  )
  assert focused(page) == f'picture {1 + columns}'
  page.press('up')
  page.press('enter')
  page.wait('document.getElementById("player").open')
  page.press('escape')
  page.wait('!document.getElementById("player").open')
  assert focused(page) == 'picture 1'
  page.press('tab')
  assert focused(page) == 'similar 1'
  page.press('enter')
  searched(page)
  assert page.text('#query-name') == 'two.mp4'
  page.press('escape')
  page.wait('document.getElementById("query").hidden')


@pytest.mark.parametrize('colours', ['light', 'dark'])
def test_a_phone_shows_it_without_scrolling_sideways(page, served, colours):
  page.size(360, 740, phone=True)
  page.colours(colours)
  for address in ('', '/?id=0', '/docs'):
    page.open(served.address + address)
    page.wait('document.querySelector(".card, .operation")')
    assert page.run(
      'return document.documentElement.scrollWidth <= 360 && innerWidth === 360'
    ), address
  ground = page.run('return getComputedStyle(document.body).backgroundColor')
  assert (
    ground
    == {'light': 'rgb(244, 245, 248)', 'dark': 'rgb(14, 17, 22)'}[colours]
  )


def test_it_works_below_a_prefix(page, served):
  """Behind a proxy that passes on what begins with /nph/."""

  async def proxy(scope, receive, send):
    if scope['type'] != 'http':
      return
    request = requests.Request(scope, receive)
    method, path = request.method, request.url.path
    assert path.startswith('/nph/'), path
    answer = served.client.request(
      method,
      f'{path.removeprefix("/nph")}?{request.url.query}',
      content=await request.body(),
      headers=request.headers.raw,
    )
    await responses.Response(
      answer.content, answer.status_code, dict(answer.headers)
    )(scope, receive, send)

  with toy.running(proxy) as address:
    page.open(f'{address}/nph/')
    page.wait(f'{CARDS} === 24')
    page.click('.card[data-id="0"] .similar')
    searched(page)
    loaded = 'document.querySelector(".card[data-id=\\"1\\"] img").naturalWidth'
    page.wait(f'{loaded} > 0')
    assert page.run('return location.pathname') == '/nph/'
    page.open(f'{address}/nph/docs')
    page.wait('document.querySelectorAll(".operation").length > 5')
    assert page.problems() == []


def test_the_documentation_lists_every_operation(page, served):
  page.open(f'{served.address}/docs')
  page.wait('document.querySelectorAll(".operation").length > 5')
  api = served.client.get('/openapi.json').json()
  number = sum(map(len, api['paths'].values()))
  assert (
    page.run('return document.querySelectorAll(".operation").length') == number
  )
  assert page.problems() == []


def test_nothing_from_an_index_runs(window, own, clips):
  files = {'video': (EVIL, (clips / 'cat' / 'one.webm').read_bytes())}
  answer = own.client.post(
    '/videos',
    files=files,
    data={'metadata': '{"labels": ["<img src=x onerror=evil=1>"]}'},
  )
  assert answer.status_code == 201
  id = answer.json()['id']
  window.size(1280, 900)
  window.problems()
  window.open(f'{own.address}/?id={id}')
  searched(window)
  assert window.text('#query-labels') == '<img src=x onerror=evil=1>'
  window.open(f'{own.address}/?id=0')
  searched(window)
  window.click(f'.card[data-id="{id}"] .picture')
  assert '<img src=x' in window.text(f'.card[data-id="{id}"] .name')
  assert window.run('return window.evil === undefined')
  assert window.problems() == []


def test_a_token_is_asked_for(window, start, tmp_path):
  with start(
    tmp_path, token='secret', load=toy.load_nothing, backbone=None
  ) as closed:
    window.open(closed.address)
    window.wait('document.getElementById("sign-in").open')
    window.type('#token', 'wrong')
    window.press('enter')
    window.wait('document.getElementById("sign-in-error").textContent')
    window.type('#token', 'secret')
    window.press('enter')
    window.wait(f'{CARDS} === 24')
    window.wait(
      'document.querySelector(".card[data-id=\\"9\\"] img").naturalWidth > 0'
    )
    window.run('history.replaceState(null, "", "/")')
    upload = str(toy.clip(tmp_path / 'film.mp4'))
    window.type('#file', upload)
    assert '--backbone' in toast(window)
