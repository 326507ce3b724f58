// The picture of a live widget and the words under it. They come in one message and are shown in the same frame.
// A picture is decoded before it is put in place: a browser would else do so while it paints, and the page waits.

function render({ model, el }) {
  el.classList.add("facelab-screen")
  let shown = new Image()
  const words = document.createElement("div")
  words.setAttribute("role", "status")
  words.lang = model.get("language")
  el.append(shown, words)

  let newest = 0
  const show = async () => {
    const mine = ++newest
    const next = new Image()
    next.alt = model.get("title")
    next.src = URL.createObjectURL(new Blob([model.get("value")]))
    await next.decode()
    if (mine !== newest) return URL.revokeObjectURL(next.src) // a later one was quicker
    shown.replaceWith(next)
    URL.revokeObjectURL(shown.src)
    shown = next
    words.textContent = model.get("words")
    el.dataset.pictures = String(mine)
  }
  model.on("change", show)
  show()
  return () => model.off("change", show)
}

export default { render }
