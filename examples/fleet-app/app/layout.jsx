export const metadata = {
  title: "Onegen behind next start",
  description: "A page is generated once, whichever process is asked.",
};

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  );
}
