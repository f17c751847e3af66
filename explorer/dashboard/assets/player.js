// One sound at a time, and where in the recording it is.

// `changed(name, is)` hears of 'waiting', 'playing' and 'stopped'; `moved(name, share, second)` is
// called for every frame while it plays, with the second of the recording: a sound that is slowed
// down moves slowly.
function makePlayer(changed, moved) {
  const audio = h('audio', {preload: 'auto'})
  const sounds = new Map()
  let playing = null, wish = null, tick = 0, loop = false

  function follow() {
    const sound = sounds.get(playing)
    if (sound && audio.duration) moved(playing, audio.currentTime / audio.duration, sound.start_s + audio.currentTime * sound.speed)
    tick = requestAnimationFrame(follow)
  }
  function stop() {
    if (wish !== null && wish !== playing) changed(wish, 'stopped')
    wish = null
    cancelAnimationFrame(tick)
    if (playing === null) return
    const was = playing
    playing = null
    audio.pause()
    changed(was, 'stopped')
  }
  function start(name) {
    wish = null
    playing = name
    audio.src = sounds.get(name).url
    audio.loop = loop
    audio.play().catch(() => {})
    changed(name, 'playing')
    cancelAnimationFrame(tick)
    follow()
  }
  audio.addEventListener('ended', stop)

  return {
    audio,
    get playing() { return playing },
    get paused() { return audio.paused },
    // Play a sound, or stop it if it is the one that plays; `ask` has it made if it is not at hand.
    play(name, ask, again = false) {
      if (playing === name && !audio.paused && !again) { stop(); return }
      stop()
      if (sounds.has(name)) { start(name); return }
      wish = name
      changed(name, 'waiting')
      ask()
    },
    stop,
    set loop(on) { loop = on; audio.loop = on },
    get loop() { return loop },
    heard(name, message) {
      if (message.failed) {
        if (wish === name) { wish = null; changed(name, 'stopped') }
        return
      }
      const url = URL.createObjectURL(new Blob([bytesFrom(message.data)], {type: 'audio/wav'}))
      sounds.set(name, {url, start_s: message.start_s, end_s: message.end_s, speed: message.speed})
      if (sounds.size > 80) {
        const oldest = [...sounds.keys()].find(other => other !== playing && other !== name)
        URL.revokeObjectURL(sounds.get(oldest).url)
        sounds.delete(oldest)
      }
      if (wish === name) start(name)
    },
    end() { stop(); for (const {url} of sounds.values()) URL.revokeObjectURL(url); sounds.clear() },
  }
}

// The button of a card or an example says what pressing it does.
function showPlaying(node, is) {
  node.classList.toggle('playing', is === 'playing')
  node.classList.toggle('loading', is === 'waiting')
  const button = node.querySelector('.play')
  button?.replaceChildren(icon(is === 'playing' ? 'stop' : 'play'))
  button?.setAttribute('aria-label', is === 'playing' ? 'Stop' : 'Play')
}
