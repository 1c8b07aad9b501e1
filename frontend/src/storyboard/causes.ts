/** What each cause of a failure is called, and what the creator can do about it. */

interface Known {
  title: string;
  advice: string;
}

const CAUSES: Record<string, Known> = {
  out_of_memory: {
    title: "Out of GPU memory",
    advice: "The same settings will fail again. Choose a smaller picture or a shorter video in the project's settings, then retry.",
  },
  worker_crashed: {
    title: "The worker crashed",
    advice: "It ended without a word three times. Its log says more; if it happens with these sentences only, change their prompts.",
  },
  generator_error: {
    title: "The generator made an error",
    advice: "A retry may work. If it does not, copy the details for whoever looks after the workers.",
  },
  image_missing: {
    title: "The image file is gone",
    advice: "The video starts from a file that is no longer there. Make the image again; its video follows.",
  },
  storage_failed: {
    title: "The file could not be stored",
    advice: "Make room on the disk, or look whether it can be written, then retry.",
  },
  bad_prompt: {
    title: "The prompt was not accepted",
    advice: "Change the picture prompt of these sentences, then retry.",
  },
  bad_size: {
    title: "This size does not work",
    advice: "Choose another picture size in the project's settings, then retry.",
  },
  bad_length: {
    title: "This length does not work",
    advice: "Choose another length for videos in the project's settings, then retry.",
  },
  bad_source: {
    title: "There is no image to start from",
    advice: "Make the image again; its video follows.",
  },
  model_missing: {
    title: "The model is not there",
    advice: "The worker cannot find its model. Check its MODEL setting, then retry.",
  },
};

const UNKNOWN = "A retry may work. If it does not, copy the details for whoever looks after the workers.";

export function causeTitle(cause: string): string {
  const words = cause.replaceAll("_", " ");
  return CAUSES[cause]?.title ?? words.charAt(0).toUpperCase() + words.slice(1);
}

export function advice(cause: string): string {
  return CAUSES[cause]?.advice ?? UNKNOWN;
}
