import "./style.css";

export const metadata = {
  title: "Onegen demo",
  description: "A page is generated once, wherever it is visited.",
};

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  );
}
