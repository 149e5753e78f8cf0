/** A page's frame. The attributes are for programs: they tell one render from another. */
export function Page({ render, title, children }) {
  return (
    <main data-render-id={render.id} data-rendered-at={render.renderedAt} data-path={render.path}>
      <h1>{title}</h1>
      {children}
      <p>
        {render.path} was rendered at <time>{render.renderedAt}</time>, render <code>{render.id}</code>.
      </p>
    </main>
  );
}
