import { QueryClientProvider } from "@tanstack/react-query";
import { Bug, MapPinOff } from "lucide-react";
import { Tooltip } from "radix-ui";
import { useEffect, useState } from "react";
import { ErrorBoundary } from "react-error-boundary";
import { Toaster } from "sonner";
import { loginWanted } from "@/api/client";
import { queries } from "@/api/queries";
import { Announcer } from "@/components/ui/Announcer";
import { Blank } from "@/components/ui/Blank";
import { Button } from "@/components/ui/Button";
import { Link } from "@/components/ui/Link";
import { Login } from "@/pages/Login";
import { NewProject } from "@/pages/NewProject";
import { Projects } from "@/pages/Projects";
import { Storyboard } from "@/pages/Storyboard";
import { usePreferences } from "@/preferences";
import { home, useRoute } from "@/router";

export function App() {
  return (
    <QueryClientProvider client={queries}>
      <Tooltip.Provider delayDuration={500} skipDelayDuration={200}>
        <ErrorBoundary FallbackComponent={Broken}>
          <Gate />
        </ErrorBoundary>
        <Announcer />
        <Toasts />
      </Tooltip.Provider>
    </QueryClientProvider>
  );
}

/** The pages, or the login before them once the coordinator has asked for one. */
function Gate() {
  const [locked, setLocked] = useState(false);
  useEffect(() => {
    const lock = () => setLocked(true);
    loginWanted.addEventListener("login", lock);
    return () => loginWanted.removeEventListener("login", lock);
  }, []);
  if (!locked) return <Pages />;
  return (
    <Login
      onDone={() => {
        queries.clear();
        setLocked(false);
      }}
    />
  );
}

function Pages() {
  const route = useRoute();
  switch (route.page) {
    case "projects":
      return <Projects />;
    case "new":
      return <NewProject />;
    case "storyboard":
      return <Storyboard key={route.projectId} projectId={route.projectId} />;
    case "lost":
      return (
        <main>
          <h1 className="sr-only">Not found</h1>
          <Blank icon={<MapPinOff aria-hidden />} title="Nothing is at this address" text="The link may be old, or not quite right.">
            <Link href={home} className="inline-flex h-10 items-center rounded-lg bg-accent px-4 font-medium text-on-accent hover:bg-accent-strong">
              All projects
            </Link>
          </Blank>
        </main>
      );
  }
}

function Broken({ error }: { error: unknown }) {
  return (
    <main>
      <h1 className="sr-only">Error</h1>
      <Blank icon={<Bug aria-hidden />} title="This page made a mistake" text={`Your work is safe: it is kept by the studio and not by this page. (${String(error)})`}>
        <Button kind="primary" onClick={() => location.reload()}>
          Load it again
        </Button>
      </Blank>
    </main>
  );
}

function Toasts() {
  const { theme } = usePreferences();
  return (
    <Toaster
      theme={theme}
      position="bottom-right"
      closeButton
      toastOptions={{
        unstyled: true,
        classNames: {
          toast:
            "flex w-full items-start gap-3 rounded-xl border border-line bg-raised px-4 py-3 pr-10 text-ink shadow-pop sm:w-[23rem] font-sans text-sm",
          content: "min-w-0 flex-1",
          title: "font-medium",
          description: "text-ink-2",
          icon: "mt-0.5 text-accent-text",
          actionButton: "shrink-0 self-center rounded-md bg-accent px-2.5 py-1.5 text-sm font-medium text-on-accent hover:bg-accent-strong",
          closeButton: "!absolute !top-2.5 !right-2.5 !left-auto !transform-none !border-0 !bg-transparent flex size-6 items-center justify-center rounded-md text-ink-2 hover:bg-sunken hover:text-ink",
        },
      }}
    />
  );
}
