// Loads the page's content anew whenever the desk says that something has changed. A burst of changes
// is one load, and a form that was just sent is not disturbed.
let loading = false, again = false;

async function load() {
  if (loading) { again = true; return; }
  loading = true;
  try {
    const answer = await fetch(location.href, {headers: {Accept: "text/html"}});
    if (answer.ok) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.querySelector("main").replaceChildren(...fresh.querySelector("main").childNodes);
    }
  } catch { /* the stream connects again, and says so by a change */ } finally {
    loading = false;
    if (again) { again = false; load(); }
  }
}

new EventSource("/changes").onmessage = load;
