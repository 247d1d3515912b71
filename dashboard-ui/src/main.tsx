import "./index.css";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { queryClient } from "./api/client";
import { router } from "./router";

// A deploy takes away the files of the page that is open. One reload brings the new page; the mark
// keeps it from going on for ever.
addEventListener("vite:preloadError", (event) => {
  if (sessionStorage.getItem("durable:reloaded") !== null) return;
  event.preventDefault();
  sessionStorage.setItem("durable:reloaded", "yes");
  location.reload();
});

// A page that has lasted is no loop: the next deploy may have its reload.
setTimeout(() => sessionStorage.removeItem("durable:reloaded"), 60_000);

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
