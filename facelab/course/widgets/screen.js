// The picture of a live widget and the words under it. They come in one message and are shown in the same frame.
// A picture is decoded before it is put in place: a browser would else do so while it paints, and the page waits.

function render({ model, el }) {
  el.classList.add("facelab-screen")
  let shown = new Image()
  const words = document.createElement("div")
  words.setAttribute("role", "status")
  words.lang = model.get("language")
  el.append(shown, words)

  let asked = 0
  let latest = 0 // of those in place: one that took longer than a later one is left out
  const show = async () => {
    const mine = ++asked
    const text = model.get("words")
    const bytes = model.get("value")
    const next = new Image()
    next.alt = model.get("title")
    next.hidden = !bytes.byteLength // nothing was drawn yet: an error says why
    if (bytes.byteLength) next.src = URL.createObjectURL(new Blob([bytes]))
    await next.decode().catch(() => {}) // what cannot be decoded is shown as a browser shows a broken picture
    if (mine < latest) return URL.revokeObjectURL(next.src)
    latest = mine
    shown.replaceWith(next)
    URL.revokeObjectURL(shown.src)
    shown = next
    words.textContent = text
    el.dataset.pictures = String(mine)
  }
  model.on("change", show)
  show()
  return () => {
    model.off("change", show)
    latest = Infinity
    URL.revokeObjectURL(shown.src)
  }
}

export default { render }
