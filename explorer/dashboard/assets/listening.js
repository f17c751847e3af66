// How sounds are drawn and played: presets, and every setting behind them. One panel for the
// gallery and the closer look; what is chosen holds for both, for picture and sound alike.

const WINDOWS_MS = [0.5, 1, 2, 3, 4, 8, 16, 32, 64, 128, 250, 500, 1000]
const SPEEDS = [0.02, 0.05, 0.1, 0.125, 0.25, 0.5, 1, 2, 4, 8, 16]
const AXIS_WORDS = {linear: 'linear', log: 'logarithmic', mel: 'mel', split: 'split at 2 kHz'}
const factor = x => x === 1 ? 'as recorded' : x < 1 && Math.abs(1 / x - Math.round(1 / x)) < 1e-6 ? `1/${Math.round(1 / x)}` : `${x}×`

let settingNumber = 0

function listeningPanel(model, send) {
  const set = (name, value) => send('listening', {values: {...model.listening, [name]: value}})
  const controls = []
  // Each control knows how to show the settings; one that is being typed in is left alone.
  function control(label, node, show, note) {
    const id = node.id = `setting-${++settingNumber}`
    controls.push(values => { if (node.getRootNode().activeElement !== node || node.tagName !== 'INPUT') show(values, node) })
    const words = h('label', {for: id}, label)
    return h('div', {class: 'setting'}, words, node, note ?? null)
  }
  function choice(label, name, options, words) {
    const node = h('select', {onchange: () => set(name, JSON.parse(node.value))})
    return control(label, node, values => {
      const now = values[name]
      const all = options.some(o => o === now) ? options : [...options, now].sort((a, b) => a - b)
      node.replaceChildren(...all.map(o => h('option', {value: JSON.stringify(o), selected: o === now}, words(o))))
      node.value = JSON.stringify(now)
    })
  }
  function slide(label, name, low, high, step, words) {
    const told = h('output', {}, '')
    const node = h('input', {type: 'range', min: low, max: high, step, oninput: () => { told.textContent = words(Number(node.value)) },
      onchange: () => set(name, Number(node.value))})
    return control(label, node, values => {
      node.value = values[name]
      told.textContent = words(values[name])
    }, told)
  }
  function tick(label, name, note) {
    const node = h('input', {type: 'checkbox', onchange: () => set(name, node.checked)})
    return control(label, node, values => { node.checked = values[name] }, note)
  }
  function number(label, name, low, empty) {
    const node = h('input', {type: 'number', min: low, step: 'any', placeholder: empty ?? '', 'aria-label': label,
      onchange: () => set(name, node.value === '' ? null : Number(node.value))})
    controls.push(values => { if (node.getRootNode().activeElement !== node) node.value = values[name] ?? '' })
    return node
  }

  const presets = h('div', {class: 'presets', role: 'radiogroup', 'aria-label': 'Preset'}, model.presets.map(p => {
    const button = h('button', {role: 'radio', 'data-preset': p.value, onclick: () => send('listening', {values: {preset: p.value}})},
      h('b', {}, p.value), h('small', {}, p.note))
    controls.push(values => button.setAttribute('aria-checked', String(values.preset === p.value)))
    return button
  }))
  const contrast = h('select', {onchange: () => set('floor_db', contrast.value === 'fixed' ? -90 : null)},
    h('option', {value: 'auto'}, 'over each clip’s noise'), h('option', {value: 'fixed'}, 'fixed levels'))
  const from = number('Lowest level, dB', 'floor_db', -160)
  const fixed = h('div', {class: 'setting'}, h('span', {}, 'From'), from, h('output', {}, 'dB'))
  controls.push(values => { fixed.hidden = values.floor_db === null || values.pcen })
  const back = h('button', {class: 'link', onclick: () => send('listening', {values: {preset: model.listening.preset}})})
  controls.push(values => { back.hidden = !model.changed; back.textContent = `Back to ${values.preset}` })

  const db = x => `${x > 0 ? '+' : ''}${x} dB`
  const node = h('div', {class: 'listening'}, presets,
    h('div', {class: 'halves'},
      h('fieldset', {}, h('legend', {}, 'Picture'),
        h('div', {class: 'setting'}, h('span', {}, 'Band'), h('span', {class: 'band'}, number('Lowest frequency, Hz', 'min_hz', 0), '–',
          number('Highest frequency, Hz', 'max_hz', 1, 'end')), h('output', {}, 'Hz')),
        choice('Axis', 'axis', model.axes, o => AXIS_WORDS[o] ?? o),
        choice('FFT window', 'window_s', WINDOWS_MS.map(ms => ms / 1000), o => `${Number((o * 1000).toPrecision(4))} ms`),
        choice('Overlap', 'overlap', [0, 0.5, 0.75, 0.9], o => `${Math.round(o * 100)} %`),
        control('Contrast', contrast, values => { contrast.value = values.floor_db === null ? 'auto' : 'fixed'; contrast.disabled = values.pcen }),
        fixed,
        slide('Range', 'range_db', 12, 120, 2, x => `${x} dB`),
        slide('Gain', 'gain_db', -30, 30, 1, db),
        tick('PCEN', 'pcen', h('output', {title: 'Per-channel energy normalisation: follows the noise in time as well'}, 'follows the noise'))),
      h('fieldset', {}, h('legend', {}, 'Sound'),
        choice('Speed', 'speed', SPEEDS, factor),
        choice('Pitch', 'pitch', [null, ...SPEEDS], o => o === null ? 'goes with the speed' : factor(o)),
        slide('Volume', 'volume_db', -20, 60, 1, db),
        tick('Only the band shown', 'band_only'),
        h('p', {class: 'quiet'}, 'Time and frequency axes stay the recording’s own.'), back)))
  keepKeys(node)
  const draw = () => controls.forEach(show => show(model.listening))
  draw()
  return {node, draw}
}

// A browser remembers for each collection how one listens there; an address that says so goes first.
function rememberListening(model, send) {
  const plain = model.listening.preset === 'wide' && !model.changed
  try {
    const kept = JSON.parse(localStorage.getItem(model.memory) ?? 'null')
    if (plain && kept && typeof kept === 'object') send('listening', {values: kept})
  } catch { /* a browser without a memory */ }
  return () => {
    try { localStorage.setItem(model.memory, JSON.stringify(model.listening)) } catch { /* the same */ }
  }
}
