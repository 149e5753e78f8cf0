/** A page's frame. The attributes are for programs: they tell one render from another. */
export function Page({ render, title, children }) {
  return (
    <main data-render-id={render.id} data-rendered-at={render.renderedAt} data-path={render.path}>
      <h1>{title}</h1>
      {children}
      <dl className="render">
        <dt>Path</dt>
        <dd>{render.path}</dd>
        <dt>Rendered at</dt>
        <dd>{render.renderedAt}</dd>
        <dt>Render id</dt>
        <dd>{render.id}</dd>
      </dl>
      <p className="hint">
        Reload: the render id changes only when the page was generated again. <a href="/">All pages</a>
      </p>
    </main>
  );
}
