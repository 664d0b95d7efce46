"""A headless Chromium, spoken to in the W3C WebDriver protocol."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time

import httpx

_ELEMENT = 'element-6066-11e4-a52e-4f735466cecf'
KEYS = {
  'tab': '\ue004',
  'enter': '\ue007',
  'escape': '\ue00c',
  'left': '\ue012',
  'up': '\ue013',
  'right': '\ue014',
  'down': '\ue015',
}


def missing():
  """Which of the two programs is not there, None when both are."""
  for names in (
    ('chromium', 'chromium-browser', 'google-chrome'),
    ('chromedriver',),
  ):
    if not any(map(shutil.which, names)):
      return names[0]
  return None


@contextlib.contextmanager
def started(folder):
  """Yields a Browser whose profile lies in `folder`."""
  with socket.create_server(('127.0.0.1', 0)) as free:
    port = free.getsockname()[1]
  with open(folder / 'chromedriver.log', 'wb') as log:
    driver = subprocess.Popen(
      ['chromedriver', f'--port={port}'], stdout=log, stderr=log
    )
  try:
    with httpx.Client(
      base_url=f'http://127.0.0.1:{port}', timeout=60, trust_env=False
    ) as client:
      _wait(lambda: client.get('/status').json()['value']['ready'])
      browser = Browser(client, folder)
      try:
        yield browser
      finally:
        browser.quit()
  finally:
    driver.kill()
    driver.wait()


def _wait(condition, seconds=20, what='the browser'):
  end = time.monotonic() + seconds
  while True:
    with contextlib.suppress(httpx.TransportError):
      value = condition()
      if value:
        return value
    if time.monotonic() > end:
      raise TimeoutError(f'waited {seconds} s for {what}')
    time.sleep(0.03)


class Browser:
  """One window."""

  def __init__(self, client, folder):
    self._client = client
    options = {
      'args': [
        '--headless=new',
        '--no-sandbox',
        '--disable-dev-shm-usage',
        '--disable-gpu',
        '--no-first-run',
        '--autoplay-policy=no-user-gesture-required',
        '--window-size=1280,900',
        f'--user-data-dir={folder / "profile"}',
      ]
    }
    capabilities = {
      'goog:chromeOptions': options,
      'goog:loggingPrefs': {'browser': 'ALL'},
    }
    answer = client.post(
      '/session', json={'capabilities': {'alwaysMatch': capabilities}}
    )
    self._base = f'/session/{answer.json()["value"]["sessionId"]}'

  def _post(self, path, **body):
    answer = self._client.post(self._base + path, json=body)
    value = answer.json()['value']
    if answer.is_error:
      raise RuntimeError(value['message'].splitlines()[0])
    return value

  def quit(self):
    self._client.delete(self._base)

  def open(self, address):
    self._post('/url', url=address)

  def run(self, script, *arguments):
    """What JavaScript returns; `arguments` as it has them."""
    return self._post('/execute/sync', script=script, args=list(arguments))

  def run_async(self, script, *arguments):
    """As `run`; the last of JavaScript's `arguments` takes the result."""
    return self._post('/execute/async', script=script, args=list(arguments))

  def wait(self, script, *arguments, seconds=20):
    """Waits until JavaScript, an expression, is true; returns its value."""
    return _wait(
      lambda: self.run(f'return {script}', *arguments), seconds, script
    )

  def find(self, selector):
    """The first element of a CSS selector."""
    found = self._post('/element', using='css selector', value=selector)
    return found[_ELEMENT]

  def click(self, selector):
    self._post(f'/element/{self.find(selector)}/click')

  def type(self, selector, text):
    self._post(f'/element/{self.find(selector)}/value', text=text)

  def press(self, *names):
    """Keys for whatever has the focus, by name or as they are."""
    keys = [KEYS.get(name, name) for name in names]
    actions = [
      {'type': kind, 'value': key}
      for key in keys
      for kind in ('keyDown', 'keyUp')
    ]
    self._post(
      '/actions',
      actions=[{'type': 'key', 'id': 'keyboard', 'actions': actions}],
    )

  def hover(self, selector):
    origin = {_ELEMENT: self.find(selector)}
    move = {'type': 'pointerMove', 'origin': origin, 'x': 0, 'y': 0}
    self._post(
      '/actions',
      actions=[
        {
          'type': 'pointer',
          'id': 'mouse',
          'parameters': {'pointerType': 'mouse'},
          'actions': [{**move, 'duration': 0}],
        }
      ],
    )

  def devtools(self, command, **parameters):
    """A command of Chromium's own protocol."""
    return self._post('/goog/cdp/execute', cmd=command, params=parameters)

  def size(self, width, height, *, phone=False):
    self.devtools(
      'Emulation.setDeviceMetricsOverride',
      width=width,
      height=height,
      deviceScaleFactor=2 if phone else 1,
      mobile=phone,
    )

  def colours(self, scheme):
    """'light' or 'dark', as the person's system prefers."""
    feature = {'name': 'prefers-color-scheme', 'value': scheme}
    self.devtools('Emulation.setEmulatedMedia', features=[feature])

  def text(self, selector):
    return self.run(
      'return document.querySelector(arguments[0]).textContent', selector
    )

  def problems(self):
    """What the console holds of errors, policy violations included."""
    return [
      entry['message']
      for entry in self._post('/se/log', type='browser')
      if entry['level'] == 'SEVERE'
    ]
