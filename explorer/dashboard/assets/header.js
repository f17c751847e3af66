// Top: what is open, the screens, search, undo, theme, who is here, and what there is to say.

export function render({model, view, el}) {
  const send = sender(model, view)
  const list = h('ul', {class: 'fits menu', role: 'listbox', id: 'fits', 'aria-label': 'What is meant', hidden: true})
  const field = keepKeys(h('input', {type: 'search', role: 'combobox', 'aria-expanded': 'false', 'aria-controls': 'fits', 'aria-autocomplete': 'list',
    disabled: !model.searchable, autocomplete: 'off', placeholder: 'Search: class, site, recording @ second, or drop a sound', 'aria-label': 'Search', title: 'Search (/)',
    oninput: () => { clearTimeout(typing); typing = setTimeout(() => send('suggest', {text: field.value}), 120) },
    onblur: () => setTimeout(() => offer([]), 150)}))
  let typing = 0, fits = [], at = -1
  function offer(found) {
    fits = found; at = -1
    list.hidden = !fits.length
    field.setAttribute('aria-expanded', String(fits.length > 0))
    field.removeAttribute('aria-activedescendant')
    list.replaceChildren(...fits.map((fit, i) => h('li', {role: 'option', id: `fit-${i}`, 'aria-selected': 'false',
      onpointerdown: event => { event.preventDefault(); take(fit) }}, h('small', {class: 'kind'}, fit.kind), h('span', {}, fit.name), h('small', {}, fit.note))))
  }
  function point(step) {
    if (!fits.length) return
    at = (at + step + fits.length) % fits.length
    ;[...list.children].forEach((item, i) => item.setAttribute('aria-selected', String(i === at)))
    list.children[at].scrollIntoView({block: 'nearest'})
    field.setAttribute('aria-activedescendant', `fit-${at}`)
  }
  function take(fit) { send('go', {kind: fit.kind, name: fit.name}); field.value = ''; offer([]); field.blur() }
  field.addEventListener('keydown', event => {
    if (event.key === 'ArrowDown') { point(1); event.preventDefault() }
    if (event.key === 'ArrowUp') { point(-1); event.preventDefault() }
    if (event.key === 'Escape') { offer([]); field.blur() }
    if (event.key === 'Enter' && field.value.trim()) {
      if (at >= 0) take(fits[at]); else { send('search', {text: field.value}); offer([]) }
    }
  })
  model.on('msg:custom', message => { if (message.kind === 'fits' && message.text === field.value) offer(message.fits) })
  const file = h('input', {type: 'file', accept: 'audio/*,.wav,.flac,.ogg,.mp3', hidden: true, onchange: () => { upload(file.files[0]); file.value = '' }})
  const choose = h('button', {class: 'bare choose', title: 'Choose a sound file', 'aria-label': 'Choose a sound file',
    disabled: !model.searchable, onclick: () => file.click()}, icon('file', 15))
  const search = h('div', {class: 'search'}, icon('search', 15), field, choose, file, list)
  const nav = h('nav', {class: 'screens', 'aria-label': 'Screens'})
  const short = h('div', {class: 'screens-short'})
  const undo = h('button', {class: 'bare undo', onclick: () => send('undo')}, icon('undo', 15))
  const runs = h('div', {class: 'runs'})
  const busy = h('span', {class: 'busy', 'aria-live': 'polite'})
  const theme = h('button', {class: 'bare theme', onclick: () => {
    try { localStorage.setItem('explorer-theme', model.theme === 'dark' ? 'light' : 'dark') } catch { /* private mode */ }
    send('theme') }})
  const user = h('span', {class: 'user', title: model.refusals.annotator || 'Labels are kept under this name'})
  // Others who are here, and what they do: seen, never in the way.
  const faces = h('button', {class: 'bare others', hidden: true, onclick: () => model.screen !== 'together' && send('screen', {name: 'together'})})
  const news = h('div', {class: 'news', role: 'status', hidden: true})
  const toast = h('div', {class: 'toast', role: 'status', hidden: true})
  const root = h('header', {class: 'bar'},
    model.home && h('a', {class: 'home', href: model.home, title: 'All collections', 'aria-label': 'All collections'}, icon('left', 15)),
    h('h1', {title: `${model.title}\n${model.facts}`}, model.title), nav, short,
    search, busy, runs, undo, theme, h('div', {class: 'company'}, faces, news), user, toast)

  async function upload(chosen) {
    if (!chosen) return
    if (chosen.size > 50 * 2 ** 20) { say({text: `${chosen.name}: search with a sound of less than 50 MB`, kind: 'error'}); return }
    const bytes = new Uint8Array(await chosen.arrayBuffer())
    const size = 3 * 2 ** 18, parts = Math.max(1, Math.ceil(bytes.length / size))
    for (let part = 0; part < parts; part++) {
      const piece = bytes.subarray(part * size, (part + 1) * size)
      let text = ''
      for (let i = 0; i < piece.length; i += 8192) text += String.fromCharCode(...piece.subarray(i, i + 8192))
      send('upload', {name: chosen.name, part, parts, data: btoa(text)})
    }
  }
  search.addEventListener('dragover', event => { event.preventDefault(); search.classList.add('over') })
  search.addEventListener('dragleave', () => search.classList.remove('over'))
  search.addEventListener('drop', event => { event.preventDefault(); search.classList.remove('over'); upload(event.dataTransfer.files[0]) })

  // As on many pages: a slash goes to the search field.
  const slash = event => {
    const target = event.composedPath()[0]
    if (event.key !== '/' || event.ctrlKey || event.metaKey || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName ?? '')) return
    event.preventDefault(); field.focus(); field.select()
  }
  if (model.whole_page) { document.addEventListener('keydown', slash); model.on('remove', () => document.removeEventListener('keydown', slash)) }

  let timer = 0, said = 0
  function say(notice) {
    clearTimeout(timer)
    toast.hidden = !notice
    if (!notice) return
    toast.className = `toast ${notice.kind}`
    toast.setAttribute('role', notice.kind === 'error' ? 'alert' : 'status')
    toast.replaceChildren(h('span', {}, notice.text), h('button', {class: 'bare', 'aria-label': 'Close', onclick: close}, icon('close', 12)))
    said = notice.number
    if (notice.kind !== 'error') timer = setTimeout(close, 5000)
  }
  function draw_runs() {
    const now = model.runs.find(([run]) => run === model.run)
    if (!now) { runs.replaceChildren(); return }
    const name = run => run.replace(/_.*/, '')
    const several = model.runs.length > 1
    const button = h('button', {class: 'bare run', title: `${model.facts}${several ? '\nLook through another encoder' : ''}`, 'aria-haspopup': several ? 'menu' : null,
      onclick: () => several && menu(button, model.runs.map(([run, note]) => ({label: run, note, value: run, chosen: run === model.run})),
        run => send('run', {run}))}, name(model.run), several && icon('down', 11))
    runs.replaceChildren(button)
  }
  function close() { toast.hidden = true; send('dismiss', {number: said}) }
  let reading = 0
  function tell() {
    clearTimeout(reading)
    news.hidden = !model.news
    if (!model.news) return
    news.textContent = model.news.text
    reading = setTimeout(() => { news.hidden = true }, 7000)
  }
  function draw_others() {
    const shown = model.others.slice(0, 3), more = model.others.length - shown.length
    faces.hidden = !model.others.length
    faces.title = `${model.others.join(', ')} ${model.others.length === 1 ? 'has' : 'have'} this open too`
    faces.setAttribute('aria-label', faces.title)
    faces.replaceChildren(...shown.map(name => h('span', {class: 'face'}, ([...name][0] ?? '?').toUpperCase())),
      more > 0 ? h('span', {class: 'face'}, `+${more}`) : '')
  }
  function draw() {
    const dark = model.theme === 'dark'
    theme.replaceChildren(icon(dark ? 'sun' : 'moon', 16))
    theme.title = dark ? 'Light' : 'Dark'
    theme.setAttribute('aria-label', dark ? 'Light theme' : 'Dark theme')
    nav.replaceChildren(...model.screens.map(([name, text]) => h('button', {class: 'screen', 'data-screen': name,
      'aria-current': name === model.screen ? 'page' : null, onclick: () => name !== model.screen && send('screen', {name})}, text)))
    const title = Object.fromEntries(model.screens)[model.screen] ?? ''
    const button = h('button', {class: 'pill', 'aria-haspopup': 'menu', 'aria-label': `Screen: ${title}`, onclick: () => menu(button,
      model.screens.map(([name, text]) => ({label: text, value: name, chosen: name === model.screen})), name => send('screen', {name}))}, title, icon('down', 12))
    short.replaceChildren(button)
    undo.disabled = !model.undo
    undo.title = model.undo ? `Undo: ${model.undo} (z)` : 'Nothing to undo'
    undo.setAttribute('aria-label', undo.title)
    draw_runs()
    busy.textContent = model.busy ? `${model.busy} …` : ''
    user.replaceChildren(h('span', {class: 'face'}, (model.user[0] ?? '?').toUpperCase()), h('span', {class: 'who'}, model.user), model.refusals.annotator && h('span', {class: 'quiet'}, 'looks on'),
      model.log_out && h('a', {href: model.log_out}, 'log out'))
  }
  model.on(['theme', 'busy', 'user', 'screen', 'undo', 'runs', 'run'], draw)
  model.on('notice', () => say(model.notice))
  model.on('others', draw_others); model.on('news', tell)
  // The theme of the last visit, or the notebook's, or the system's.
  const remembered = () => { try { return localStorage.getItem('explorer-theme') } catch { return null } }
  if (model.follow) {
    const lab = document.body.dataset.jpThemeLight
    const wanted = lab ? (lab === 'false' ? 'dark' : 'light')
      : remembered() ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')
    if (wanted !== model.theme) setTimeout(() => send('theme'), 0)
  }
  draw(); draw_others(); say(model.notice)
  // Screen readers jump to the main part of a page.
  if (model.whole_page) requestAnimationFrame(() => {
    for (let root = el.getRootNode(); root instanceof ShadowRoot; root = root.host.getRootNode()) root.querySelector('.body')?.setAttribute('role', 'main')
  })
  return root
}
