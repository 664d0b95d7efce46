"""The rules of the configuration: what can be written, and what may differ."""

import programs
import pytest

from nph_jax import configuration, errors


@pytest.mark.parametrize(
  ('arg', 'options'),
  [
    ('', {}),
    ('nph', {'method': 'nph'}),
    ('bits=64', {'num_bits': 64}),
    ('nph,bits=64', {'method': 'nph', 'num_bits': 64}),
    ('bits=8, nph', {'method': 'nph', 'num_bits': 8}),
    (',', {}),
  ],
)
def test_argument_gives_method_and_bits_in_any_order(arg, options):
  assert configuration.parse_arg(arg) == options


@pytest.mark.parametrize('arg', ['bits=x', 'bits=', 'bits=-8', 'seed=1', '=8'])
def test_another_argument_is_an_error(arg):
  with pytest.raises(errors.UserError, match='write METHOD,bits=NUMBER'):
    configuration.parse_arg(f'nph,{arg}')


def test_argument_wins_over_the_files_defaults():
  config = configuration.base('ssth,bits=16', method='nph', num_bits=64)
  assert (config.method, config.num_bits) == ('ssth', 16)
  config = configuration.base('', method='ssth', num_bits=64)
  assert (config.method, config.num_bits) == ('ssth', 64)


@pytest.mark.parametrize('section', ['train', 'neighborhood'])
@pytest.mark.parametrize(
  ('given', 'other'),
  [('num_epochs', 'num_steps'), ('num_steps', 'num_epochs')],
)
def test_a_length_given_unsets_the_other(section, given, other):
  config = configuration.base()
  config[section][given], config[section][other] = 5, 100
  configuration.settle_lengths(config, {f'{section}.{given}', 'seed'})
  assert (config[section][given], config[section][other]) == (5, 0)


def test_lengths_not_given_stay():
  config = configuration.base()
  config.train.num_steps = 7
  configuration.settle_lengths(config, {'seed'})
  assert (config.train.num_epochs, config.train.num_steps) == (100, 7)


def test_a_zero_leaves_the_other_length():
  config = configuration.base()
  config.train.num_steps = 0
  configuration.settle_lengths(config, {'train.num_steps'})
  assert config.train.num_epochs == 100


def test_both_lengths_given_is_an_error():
  config = configuration.base()
  config.train.num_steps = 7
  with pytest.raises(errors.UserError, match='train.num_epochs and --config'):
    configuration.settle_lengths(
      config, {'train.num_epochs', 'train.num_steps'}
    )


def changed(**values):
  """The base with dotted names (written with two underscores) set."""
  config = configuration.base()
  dotted = {name.replace('__', '.'): value for name, value in values.items()}
  config.update_from_flattened_dict(dotted)
  return config


def test_the_base_is_valid():
  configuration.check(configuration.base())


@pytest.mark.parametrize('num_bits', [8, 16, 24, 32, 64, 256])
def test_any_multiple_of_eight_bits_is_valid(num_bits):
  configuration.check(changed(num_bits=num_bits))


@pytest.mark.parametrize(
  ('values', 'complaint'),
  [
    ({'method': 'foo'}, "config.method is 'foo'; choose one of "),
    ({'num_bits': 12}, 'config.num_bits is 12'),
    ({'num_bits': 0}, 'config.num_bits is 0'),
    ({'num_bits': -8}, 'config.num_bits is -8'),
    ({'seed': -1}, 'config.seed is -1'),
    ({'train__batch_size': -1}, 'config.train.batch_size is -1'),
    ({'train__num_steps': -5}, 'config.train.num_steps is -5'),
    ({'train__learning_rate': 0.0}, 'config.train.learning_rate is 0.0'),
    ({'model__hidden_width': 0}, 'config.model.hidden_width is 0'),
    ({'method': 'ssth'}, 'not by --config.method'),
    ({'export__block_size': 0}, 'config.export.block_size is 0'),
    ({'checkpoint__keep': 0}, 'config.checkpoint.keep is 0'),
    ({'train__num_epochs': 0}, 'train.num_steps are both zero'),
    ({'neighborhood__num_epochs': 0}, 'neighborhood.num_steps are both zero'),
  ],
)
def test_a_value_no_data_could_make_valid_is_named(values, complaint):
  with programs.one_sentence(complaint):
    configuration.check(changed(**values))


def differences(**values):
  old = configuration.base().to_dict()
  return configuration.differences(old, changed(**values).to_dict())


@pytest.mark.parametrize(
  'values',
  [
    {},
    {'train__num_epochs': 200},
    {'train__num_epochs': 0, 'train__num_steps': 9},
    {'checkpoint__every_steps': 1, 'checkpoint__keep': 9},
    {'logging__every_steps': 1},
  ],
)
def test_lengths_and_intervals_may_differ(values):
  assert differences(**values) == []


@pytest.mark.parametrize(
  'name',
  [
    'seed',
    'num_bits',
    'train__batch_size',
    'neighborhood__num_steps',
    'method_options__attention__num_heads',
    'export__block_size',
  ],
)
def test_anything_else_may_not(name):
  assert differences(**{name: 3}) == [name.replace('__', '.')]


def test_differences_are_all_named_and_json_hides_none():
  old = configuration.base().to_dict()
  new = changed(seed=1, data__dir='x').to_dict()
  assert configuration.differences(old, new) == ['data.dir', 'seed']
  del new['data']['dir'], new['method_options']
  names = configuration.differences(old, new)
  assert 'data.dir' in names and 'method_options.weights.visual' in names
  as_json = {'eval': {'ks': [5, 10]}}
  assert not configuration.differences(as_json, {'eval': {'ks': (5, 10)}})
  assert configuration.differences(as_json, {'eval': {'ks': (5, 11)}})


def test_a_run_of_before_a_value_came_goes_on_unless_it_is_changed():
  new = configuration.base().to_dict()
  old = configuration.base().to_dict()
  for name in configuration.LATER:
    del old['train'][name.removeprefix('train.')]
  assert configuration.differences(old, new) == []
  new['train']['cosine'] = True
  assert configuration.differences(old, new) == ['train.cosine']


def test_of_steps_and_epochs_the_larger_holds():
  config = configuration.base()
  assert configuration.num_steps(config.train, 12) == 1200
  config.train.num_steps = 1205
  assert configuration.num_steps(config.train, 12) == 1205
  assert configuration.num_steps(config.train, 13) == 1300


def test_automatic_batches_are_powers_of_two_with_four_to_an_epoch():
  sizes = {
    n: configuration.automatic_batch_size(n)
    for n in (10, 32, 63, 64, 100, 255, 256, 511, 512, 45_600)
  }
  assert sizes == {
    10: 8, 32: 8, 63: 8, 64: 16, 100: 16, 255: 32, 256: 64, 511: 64, 512: 128,
    45_600: 128,
  }  # fmt: skip
