"use client";

import { useState } from "react";

export function PostButton({ url, children }) {
  const [answer, setAnswer] = useState("");

  async function post() {
    setAnswer("…");
    const response = await fetch(url, { method: "POST" });
    setAnswer(await response.text());
  }

  return (
    <p>
      <button onClick={post}>{children}</button> <output>{answer}</output>
    </p>
  );
}
