import { Link } from "@tanstack/react-router";
import { Compass } from "lucide-react";
import { Empty, useTitle } from "../ui/kit";

export function NotFound() {
  useTitle("No such page");
  return (
    <>
      <h1 className="sr-only">No such page</h1>
      <Empty icon={Compass} title="There is no such page">
        The address may have been cut off.{" "}
        <Link to="/" className="underline">
          Go to the overview
        </Link>
        .
      </Empty>
    </>
  );
}
