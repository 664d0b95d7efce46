"""A headless Chromium."""

from __future__ import annotations

import shutil

from selenium import webdriver
from selenium.webdriver.common import keys
from selenium.webdriver.support import expected_conditions, wait

_ARGUMENTS = (
  'headless=new', 'no-sandbox', 'disable-dev-shm-usage', 'disable-gpu',
  'no-first-run', 'autoplay-policy=no-user-gesture-required',
  'window-size=1280,900',
)  # fmt: skip


def program():
  """Chromium and its driver, None where one of them is not there."""
  names = 'chromium', 'chromium-browser', 'google-chrome'
  found = next(filter(None, map(shutil.which, names)), None)
  driver = shutil.which('chromedriver')
  return (found, driver) if found and driver else None


class Browser(webdriver.Chrome):
  """One window; elements are named by CSS selectors."""

  def __init__(self):
    options = webdriver.ChromeOptions()
    options.binary_location, driver = program()
    for argument in _ARGUMENTS:
      options.add_argument(f'--{argument}')
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
    service = webdriver.ChromeService(executable_path=driver)
    super().__init__(options=options, service=service)

  def run(self, script, *arguments):
    """What JavaScript returns; `arguments` as it has them."""
    return self.execute_script(script, *arguments)

  def wait(self, script, seconds=20):
    """Waits until JavaScript, an expression, is true."""
    waiting = wait.WebDriverWait(self, seconds, 0.03)
    waiting.until(lambda _: self.run(f'return {script}'), script)

  def find(self, selector):
    return self.find_element('css selector', selector)

  def click(self, selector):
    """A click once that is there to be clicked: dialogs open in their time."""
    waiting = wait.WebDriverWait(self, 20, 0.03)
    clickable = expected_conditions.element_to_be_clickable
    waiting.until(clickable(('css selector', selector))).click()

  def type(self, selector, text):
    self.find(selector).send_keys(text)

  def press(self, *names):
    """Keys for whatever has the focus, by name or as they are."""
    for name in names:
      key = getattr(keys.Keys, name.upper(), name)
      webdriver.ActionChains(self, duration=0).send_keys(key).perform()

  def hover(self, selector):
    place = self.find(selector)
    webdriver.ActionChains(self, duration=0).move_to_element(place).perform()

  def size(self, width, height, *, phone=False):
    self.execute_cdp_cmd(
      'Emulation.setDeviceMetricsOverride',
      {
        'width': width,
        'height': height,
        'deviceScaleFactor': 2 if phone else 1,
        'mobile': phone,
      },
    )

  def colours(self, scheme):
    """'light' or 'dark', as the person's system prefers."""
    feature = {'name': 'prefers-color-scheme', 'value': scheme}
    self.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': [feature]})

  def text(self, selector):
    return self.run(
      'return document.querySelector(arguments[0]).textContent', selector
    )

  def problems(self):
    """What the console holds of errors, policy violations included."""
    return [
      entry['message']
      for entry in self.get_log('browser')
      if entry['level'] == 'SEVERE'
    ]
