"""The page in a real browser: what a person does with it."""

from __future__ import annotations

import importlib.util
import pathlib

import pytest

pytest.importorskip('selenium')

import browser
import numpy as np
import service_toy as toy
from starlette import requests, responses

from nph_jax.index.records import Segments

pytestmark = pytest.mark.skipif(
  not browser.program(), reason='no Chromium with its driver'
)

CARDS = 'document.querySelectorAll("#list .card").length'
FOUND = 'document.querySelectorAll("#found > .card").length'
EVIL = '<img src=x onerror="window.evil = true">'
# The one rule that has to be asked for.
AXE = """
const done = arguments[arguments.length - 1];
axe.run(document, {rules: {'label-content-name-mismatch': {enabled: true}}})
  .then((found) => done(found.violations.map(
    (one) => `${one.id}: ${one.nodes.map((node) => node.html).join(' ')}`)));
"""


@pytest.fixture(scope='module')
def window():
  with browser.Browser() as window:
    yield window


@pytest.fixture
def page(window, served):
  """The page, freshly opened and showing the indexed videos."""
  window.size(1280, 900)
  window.colours('light')
  window.problems()
  window.get(served.address)
  window.wait(f'{CARDS} === 44')
  return window


def ids(page, grid='list'):
  return page.run(
    'return [...document.querySelectorAll(`#${arguments[0]} .card`)]'
    '.map((card) => +card.dataset.id)',
    grid,
  )


def press(page, selector):
  """A click, wherever on the page that is."""
  page.run('document.querySelector(arguments[0]).click()', selector)


def searched(page):
  page.wait(f'!document.getElementById("found").hidden && {FOUND}')
  page.wait('!document.body.classList.contains("busy")')


def change(page, id, value):
  """As a person does: with all events."""
  page.run(
    'const element = document.getElementById(arguments[0]);'
    'element.value = arguments[1];'
    'for (const kind of ["input", "change"])'
    '  element.dispatchEvent(new Event(kind, {bubbles: true}))',
    id,
    value,
  )


def focused(page):
  return page.run(
    'const e = document.activeElement;'
    'return e.id || e.className + " " + e.closest(".card")?.dataset.id'
  )


def toast(page):
  page.wait('!document.getElementById("toast").hidden')
  return page.text('#toast-text')


def test_it_shows_the_videos_that_are_wanted(page):
  assert ids(page) == list(range(43, -1, -1))
  page.wait('document.getElementById("status").textContent === "44 videos"')
  change(page, 'sort', 'name')
  page.wait('document.querySelector("#list .card")?.dataset.id === "2"')
  change(page, 'name', 'O')
  page.wait(f'{CARDS} === 3')
  assert ids(page) == [2, 0, 1]
  page.wait('document.querySelectorAll(".chip").length === 6')
  page.run(
    '[...document.querySelectorAll(".chip")]'
    '.find((chip) => chip.textContent === "cat 2").click()'
  )
  page.wait(f'{CARDS} === 2')
  state = page.run('return location.search')
  assert state == '?sort=name&name=O&label=cat'
  # The address is the state.
  page.get(page.run('return location.href'))
  page.wait(f'{CARDS} === 2')
  assert page.run('return document.getElementById("name").value') == 'O'
  pressed = '[...document.querySelectorAll("[aria-pressed=true]")]'
  page.wait(f'{pressed}.map((x) => x.textContent).join() === "cat 2"')
  page.run('history.back()')
  page.wait(f'{CARDS} === 3')
  assert page.problems() == []


def test_more_come_as_one_scrolls_and_are_there_when_one_comes_back(
  window, own
):
  frames = toy.features(100, 1)
  added = own.service.index.add(toy.codes(frames), None, toy.relaxed(frames))
  window.size(1280, 600)
  window.get(own.address)
  window.wait(f'{CARDS} >= 60')
  window.size(1280, 9000)  # in which all of them are seen
  window.wait(f'{CARDS} === 144')
  window.size(1280, 600)
  assert ids(window) == [*added.tolist()[::-1], *range(43, -1, -1)]
  assert window.run('return document.getElementById("more").hidden')
  window.run('scrollTo(0, 1500)')
  press(window, '[data-id="30"] .similar')
  searched(window)
  window.run('history.back()')
  window.wait('!document.getElementById("list").hidden && scrollY === 1500')
  assert window.run(f'return {CARDS}') == 144
  press(window, '[data-id="100"] .open')
  window.click('#player-remove')
  window.click('#confirm-yes')
  window.wait(f'{CARDS} === 143')
  rows = '[...document.querySelectorAll("#list > .grid")]'
  full = f'return {rows}.map((grid) => grid.childElementCount)'
  assert window.run(full) == [60, 60, 23]
  own.service.index.remove(added[added != 100])


def test_an_indexed_video_is_searched_with(page, served):
  press(page, '.card[data-id="0"] .similar')
  searched(page)
  t, others = served.service.index.get(0)[1], list(range(1, 44))
  expected = toy.ranked(t, served.codes[1:], others, 24)
  assert ids(page, 'found') == [id for _, id in expected]
  distance, id = expected[0]
  card = f'#found .card[data-id="{id}"]'
  assert page.text(f'{card} .alike').split(' ', 1)[1].startswith('%')
  said = f'{distance} of 32 bits differ; by chance 16 do'
  assert page.text(f'{card} .number') == said
  shown = f'document.querySelector(`{card} .number`).offsetHeight > 0'
  assert not page.run(f'return {shown}')
  page.click('#details summary')
  page.wait(shown)
  drawn = page.run(
    'return document.querySelector(arguments[0]).getAttribute("d")',
    f'{card} .bits path',
  )
  assert drawn.count('M') == distance
  assert page.text('#query-name') == 'one.webm'
  assert page.text('#query-labels') == 'cat'
  change(page, 'rank', 'hamming')
  expected = toy.nearest(served.codes[0], served.codes[1:], others, 24)
  page.wait(
    '[...document.querySelectorAll("#found .card")].map((c) => c.dataset.id)'
    f'.join() === "{",".join(str(id) for _, id in expected)}"'
  )
  assert page.run('return location.search') == '?id=0&rank=hamming'
  page.click('#more')
  page.wait(f'{FOUND} === 43')
  change(page, 'radius', '0')
  page.wait(
    'document.getElementById("far").textContent === "Nothing is within that."'
  )
  assert page.problems() == []


def test_frames_by_label_are_there_for_who_wants_them(page):
  page.get(page.run('return location.origin') + '/?id=0')
  searched(page)
  border = (
    'return [".right", ".wrong"].map((c) => getComputedStyle('
    'document.querySelector(c)).borderTopColor)'
  )
  assert len(set(page.run(border))) == 1
  page.click('#details summary')
  page.click('#frames')
  assert page.run(border) == ['rgb(18, 129, 74)', 'rgb(197, 53, 43)']
  assert '1 of 24 have its label' in page.text('#query-facts')
  page.click('#frames')


def test_the_results_of_an_upload_have_an_address(page, clips):
  page.type('#file', str(clips / 'dog' / 'three.webm'))
  searched(page)
  assert page.text('#query-name') == 'three.webm'
  first = ids(page, 'found')
  assert first[0] == 3 and page.text('#found .alike') == '100 % almost the same'
  page.wait('document.querySelector("#query-stage video").readyState >= 2')
  assert not page.run('return document.getElementById("add").hidden')
  page.get(page.run('return location.href'))
  searched(page)
  assert ids(page, 'found') == first
  assert page.text('#query-name') == 'three.webm'
  assert page.run('return document.getElementById("add").hidden')
  assert page.problems() == []


def test_moments_stay_with_a_reload_and_a_label(window, start, clips, tmp_path):
  """Until the service has forgotten the clip, which is said."""
  frames = toy.clip_features(clips / 'dog' / 'three.webm')[0]
  still = np.repeat(frames[:, None], toy.NUM_FRAMES, axis=1)
  strange = toy.features(6, 700)
  codes = toy.codes(np.concatenate([strange, still, strange]))
  with start(tmp_path) as served:
    served.service.index.add(
      codes[:1], [{'labels': ['long']}], toy.relaxed(strange[:1]),
      segments=[Segments(0.25, 4.0, codes)],
    )  # fmt: skip
    window.size(1280, 900)
    window.get(served.address)
    window.wait(f'{CARDS} === 45')
    window.type('#file', str(clips / 'dog' / 'three.webm'))
    moment = 'document.querySelector("#found .length")?.textContent'
    window.wait(f'{moment}?.includes("–")')
    shown = window.run(f'return {moment}')
    address = window.run('return location.href')
    for more in ('', '&label=long'):
      window.get(address + more)
      window.wait(f'{moment} === "{shown}"')
      found = ids(window, 'found')
      # Videos without segments come behind it.
      assert found[0] == 44 and (found == [44]) == bool(more)
    served.service.recent.clear()
    window.get(address)
    window.wait(f'{FOUND} === 24')
    assert 'has forgotten this clip' in window.text('#far')


def test_a_dropped_video_that_no_browser_plays_is_searched_with(page, clips):
  content = (clips / 'dog' / 'four.avi').read_bytes()
  page.run(
    'const transfer = new DataTransfer();'
    'transfer.items.add(new File([new Uint8Array(arguments[0])], "four.avi"));'
    'for (const name of ["dragenter", "drop"]) document.body.dispatchEvent('
    'new DragEvent(name, {bubbles: true, cancelable: true, '
    'dataTransfer: transfer}))',
    list(content),
  )
  searched(page)
  assert ids(page, 'found')[0] == 2
  image = 'document.querySelector("#query-stage img")'
  page.wait(f'{image}?.src.startsWith("data:image")')


def test_a_click_plays_and_the_way_back_closes(page):
  press(page, '.card[data-id="0"] .open')
  playing = 'document.querySelector("#player video")'
  page.wait(f'{playing}?.currentTime > 0.1 && !{playing}.paused')
  assert page.run('return location.search') == '?play=0'
  assert page.run('return document.getElementById("player-download").download')
  page.press('escape')
  page.wait(f'!document.getElementById("player").open && !{playing}')
  page.run('history.back()')
  page.wait(f'{playing}?.currentTime > 0')
  page.run('history.back()')
  page.wait('!document.getElementById("player").open')


def test_a_moment_is_played_from_its_beginning(page, served):
  page.get(f'{served.address}/?play=0&start=0.75')
  playing = 'document.querySelector("#player video")'
  page.wait(f'{playing}?.readyState > 1')
  assert page.run(f'return {playing}.src').endswith('/file#t=0.75')
  page.wait(f'{playing}.currentTime > 0.7')


def test_a_portrait_video_is_shown_whole(window, own, tmp_path):
  path = toy.clip(tmp_path / 'tall.webm', seed=7, size=64, height=192)
  id = own.film(path, '/videos').json()['id']
  window.size(1280, 600)
  window.get(f'{own.address}/?play={id}')
  window.wait('document.querySelector("#player video")?.readyState > 1')
  places = window.run(
    'return ["#player-stage", "#player video"].map((one) => {'
    '  const box = document.querySelector(one).getBoundingClientRect();'
    '  return [box.top, box.bottom, box.left, box.right] })'
  )
  assert places[0] == places[1]
  fit = 'return getComputedStyle(document.querySelector("#player video"))'
  assert window.run(f'{fit}.objectFit') == 'contain'
  own.client.delete(f'/videos/{id}')


def test_a_hover_plays_and_stops(page):
  page.hover('.card[data-id="3"] .open')
  playing = 'document.querySelector(".card[data-id=\\"3\\"] video")'
  page.wait(f'{playing} && {playing}.currentTime > 0.1')
  assert page.run(f'return {playing}.muted')
  page.hover('#title')
  page.wait(f'!{playing}')


def test_what_browsers_cannot_play_is_shown_in_frames_then_converted(page):
  press(page, '.card[data-id="2"] .open')
  playing = 'document.querySelector("#player video[src*=converted]")'
  seen = (
    'document.querySelector("#player-stage img")?.alt ==='
    ' "Ten frames of four.avi" && document.getElementById("player-note")'
    '.textContent.includes("converted")'
  )
  # Where it was converted before, that is all there is to see.
  page.wait(f'{seen} || {playing}')
  page.wait(f'{playing}?.currentTime > 0', seconds=60)
  assert page.text('#player-note') == ''
  page.click('#player-similar')
  searched(page)
  assert page.text('#query-name') == 'four.avi'


def test_a_video_without_a_file_is_shown_as_its_code(page, served):
  page.get(f'{served.address}/?play=9')
  page.wait('document.querySelector("#player-stage img")?.naturalWidth > 0')
  assert 'not on this machine' in page.text('#player-note')
  assert page.run('return document.getElementById("player-download").hidden')


def test_a_video_is_added_and_removed(window, own, tmp_path):
  path = toy.clip(tmp_path / 'mine.webm', seed=60)
  window.size(1280, 900)
  window.get(own.address)
  window.wait(f'{CARDS} === 44')
  window.type('#file', str(path))
  searched(window)
  window.click('#add')
  window.wait('location.search.startsWith("?id=")')
  searched(window)
  window.wait(
    'document.getElementById("status").textContent'
    ' === "mine.webm is in the library."'
  )
  id = int(window.run('return location.search.slice(4)'))
  window.click('#to-videos')
  window.wait(f'{CARDS} === 45')
  press(window, f'.card[data-id="{id}"] .open')
  window.wait('document.getElementById("player").open')
  window.click('#player-remove')
  assert 'delete the file' in window.text('#confirm-text')
  window.click('#confirm-yes')
  window.wait(f'{CARDS} === 44')
  window.wait('!document.getElementById("player").open')
  assert own.client.get(f'/videos/{id}').status_code == 404
  assert len(own.service.index) == 44


def test_copies_are_shown_side_by_side_and_rejected(window, told):
  own, flags = told
  window.get(own.address)
  window.wait('!document.getElementById("to-duplicates").hidden')
  window.click('#to-duplicates')
  window.wait('document.getElementById("status").textContent'
              ' === "1 group of copies"')  # fmt: skip
  said = '[...document.querySelectorAll("#groups .name")]'
  names = window.run(f'return {said}.map((name) => name.textContent)')
  assert names == ['cat/one.webm', 'cat/two.mp4']
  assert window.run('return location.search') == '?view=duplicates'
  press(window, '.group .button:not(.primary)')
  window.wait('document.getElementById("status").textContent === "No copies."')
  assert flags()[-1][1:] == ['--reject=0,1']


def test_errors_are_shown_and_go_away(page, tmp_path):
  (tmp_path / 'notes.mp4').write_text('no video at all')
  page.type('#file', str(tmp_path / 'notes.mp4'))
  assert 'is not a video that this service reads' in toast(page)
  page.press('escape')
  assert page.run('return document.getElementById("toast").hidden')
  assert page.run(f'return {CARDS}') == 44
  (tmp_path / 'long.webm').write_bytes(b'\0' * (5 << 20))
  page.type('#file', str(tmp_path / 'long.webm'))
  assert 'takes 4 MiB at most' in toast(page)
  page.click('#toast-close')
  page.run('document.getElementById("toast-text").textContent = ""')
  page.type('#file', str(toy.npy_file(tmp_path / 'wrong.npy')))
  assert 'shape (2, 2)' in toast(page)


def test_an_unknown_id_in_the_address_is_an_error(page, served):
  page.get(f'{served.address}/?id=999')
  assert toast(page) == 'the index: no video with id 999.'


def test_the_keyboard_does_all_of_it(page):
  page.press('/')
  assert focused(page) == 'name'
  for _ in range(12):
    if focused(page) == 'open 43':
      break
    page.press('tab')
  assert focused(page) == 'open 43'
  outline = 'return getComputedStyle(document.activeElement).outlineWidth'
  assert page.run(outline) == '3px'
  page.press('right', 'right')
  assert focused(page) == 'open 41'
  page.press('left')
  page.press('down')
  columns = page.run(
    'return getComputedStyle(document.querySelector("#list .grid"))'
    '.gridTemplateColumns.split(" ").length'
  )
  assert focused(page) == f'open {42 - columns}'
  page.press('up')
  page.press('enter')
  page.wait('document.getElementById("player").open')
  page.press('escape')
  page.wait('!document.getElementById("player").open')
  assert focused(page) == 'open 42'
  page.press('tab')
  assert focused(page) == 'similar 42'
  page.press('enter')
  searched(page)
  assert page.text('#query-name') == 'Video 42'
  page.press('escape')
  page.wait('document.getElementById("query").hidden')


def test_a_screen_reader_is_told_all_of_it(page, served):
  if importlib.util.find_spec('axe_core_python') is None:
    pytest.skip('axe-core-python is not installed')
  (folder,) = importlib.util.find_spec(
    'axe_core_python'
  ).submodule_search_locations
  script = (pathlib.Path(folder) / 'axe.min.js').read_text()
  for colours, address in (
    ('light', ''),
    ('light', '?play=2'),
    ('light', 'docs'),
    ('light', '?id=0'),
    ('dark', '?id=0'),
  ):
    page.colours(colours)
    page.get(f'{served.address}/{address}')
    page.wait('document.querySelector(".card, .operation")')
    if address == '?id=0':
      searched(page)
      page.click('#details summary')
    if address == '?play=2':
      page.wait('document.querySelector("#player img, #player video")')
    page.run(script)
    assert page.execute_async_script(AXE) == [], (colours, address)


@pytest.mark.parametrize('colours', ['light', 'dark'])
def test_a_phone_shows_it_without_scrolling_sideways(page, served, colours):
  page.size(360, 740, phone=True)
  page.colours(colours)
  for address in ('', '/?id=0', '/docs'):
    page.get(served.address + address)
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
    page.get(f'{address}/nph/')
    page.wait(f'{CARDS} === 44')
    press(page, '.card[data-id="0"] .similar')
    searched(page)
    loaded = 'document.querySelector(".card[data-id=\\"1\\"] img").naturalWidth'
    page.wait(f'{loaded} > 0')
    assert page.run('return location.pathname') == '/nph/'
    page.get(f'{address}/nph/docs')
    page.wait('document.querySelectorAll(".operation").length > 5')
    assert page.problems() == []


def test_the_documentation_lists_every_operation(page, served):
  page.get(f'{served.address}/docs')
  page.wait('document.querySelectorAll(".operation").length > 5')
  api = served.client.get('/openapi.json').json()
  number = sum(map(len, api['paths'].values()))
  assert (
    page.run('return document.querySelectorAll(".operation").length') == number
  )
  assert page.problems() == []


def test_nothing_from_an_index_runs(window, own, clips):
  content = (clips / 'cat' / 'one.webm').read_bytes()
  about = {'metadata': '{"labels": ["<img src=x onerror=evil=1>"]}'}
  answer = own.film(content, '/videos', EVIL, data=about)
  assert answer.status_code == 201
  id = answer.json()['id']
  window.size(1280, 900)
  window.problems()
  window.get(f'{own.address}/?id={id}')
  searched(window)
  assert window.text('#query-labels') == '<img src=x onerror=evil=1>'
  window.get(f'{own.address}/?id=0')
  searched(window)
  press(window, f'.card[data-id="{id}"] .open')
  window.wait('document.getElementById("player").open')
  assert '<img src=x' in window.text(f'.card[data-id="{id}"] .name')
  assert window.run('return window.evil === undefined')
  assert window.problems() == []


def test_a_token_is_asked_for(window, start, tmp_path):
  with start(
    tmp_path, token='secret', load=toy.load_nothing, backbone=None
  ) as closed:
    window.get(closed.address)
    window.wait('document.getElementById("sign-in").open')
    window.type('#token', 'wrong')
    window.press('enter')
    window.wait('document.getElementById("sign-in-error").textContent')
    window.type('#token', 'secret')
    window.press('enter')
    window.wait(f'{CARDS} === 44')
    window.wait('document.querySelector(".card img").naturalWidth > 0')
    upload = str(toy.clip(tmp_path / 'film.mp4'))
    window.type('#file', upload)
    assert '--backbone' in toast(window)
