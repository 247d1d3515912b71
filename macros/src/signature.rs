//! The arguments and the result of the annotated function.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{FnArg, Ident, ItemFn, Pat, PatType, ReturnType, Signature, Type, visit::Visit};

use crate::problems::Problems;

/// Which attribute reads the function.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `#[workflow]`.
    Workflow,
    /// `#[step]`.
    Step,
}

impl Kind {
    const fn attribute(self) -> &'static str {
        match self {
            Self::Workflow => "#[workflow]",
            Self::Step => "#[step]",
        }
    }
}

/// What one argument of the function receives.
pub(crate) enum Argument {
    /// `&WorkflowCtx`.
    Ctx,
    /// The run's or the step's input.
    Input,
    /// A `State<T>`, with its type.
    State(Box<Type>),
    /// A `StepCtx`.
    StepCtx,
}

/// What the function takes and returns.
pub(crate) struct Shape {
    /// Its arguments, in order.
    pub(crate) arguments: Vec<Argument>,
    /// What the context is called; `_` when it is not named.
    pub(crate) ctx: Ident,
    /// The type of its input.
    pub(crate) input: Type,
    /// The type that it returns.
    pub(crate) output: Type,
}

impl Shape {
    /// The types of its `State<T>` arguments.
    pub(crate) fn states(&self) -> impl Iterator<Item = &Type> {
        self.arguments.iter().filter_map(|argument| match argument {
            Argument::State(ty) => Some(&**ty),
            Argument::Ctx | Argument::Input | Argument::StepCtx => None,
        })
    }

    /// `[StateNeed; _]` as an expression.
    pub(crate) fn needs(&self) -> TokenStream {
        let states = self.states();
        quote!(&[#(<#states as ::axum_durable::__private::Inject>::NEED),*])
    }

    /// Reads the function; `None` after its errors were added.
    pub(crate) fn read(function: &ItemFn, kind: Kind, problems: &mut Problems) -> Option<Self> {
        let signature = &function.sig;
        let mut found = Problems::default();
        refuse_what_cannot_be_stored(signature, kind, &mut found);
        let mut reader = Reader {
            kind,
            arguments: Vec::new(),
            ctx: None,
            input: None,
        };
        for argument in &signature.inputs {
            match argument {
                FnArg::Receiver(receiver) => found.at(receiver, no_receiver(kind)),
                FnArg::Typed(argument) => reader.read(argument, &mut found),
            }
        }
        let output = match &signature.output {
            ReturnType::Type(_, output) => Some((**output).clone()),
            ReturnType::Default => {
                found.at(&signature.ident, no_result(kind));
                None
            }
        };
        let is_sound = found.is_empty();
        problems.absorb(found);
        if !is_sound {
            return None;
        }
        Some(Self {
            arguments: reader.arguments,
            ctx: reader
                .ctx
                .unwrap_or_else(|| Ident::new("_", signature.ident.span())),
            input: reader.input.unwrap_or_else(|| syn::parse_quote!(())),
            output: output?,
        })
    }
}

fn refuse_what_cannot_be_stored(signature: &Signature, kind: Kind, problems: &mut Problems) {
    let attribute = kind.attribute();
    if signature.asyncness.is_none() {
        let message = format!("`{attribute}` needs an `async fn`; write `async` before `fn`");
        problems.at(signature.fn_token, message);
    }
    if !signature.generics.params.is_empty() {
        let message = format!(
            "`{attribute}` cannot be generic: it is found by its name, which says nothing of \
             types; write a function for each type that calls a generic one"
        );
        problems.at(&signature.generics, message);
    }
    let mut hidden = HiddenGenerics(problems);
    hidden.visit_signature(signature);
    if kind == Kind::Workflow && signature.receiver().is_none() {
        refuse_missing_ctx(signature, problems);
    }
}

fn refuse_missing_ctx(signature: &Signature, problems: &mut Problems) {
    let example = format!("async fn {}(ctx: &WorkflowCtx, ..)", signature.ident);
    let message = format!("the first argument of a workflow is its context: `{example}`");
    match signature.inputs.first() {
        Some(FnArg::Typed(first)) if is_ctx(&first.ty) => {}
        Some(FnArg::Typed(first)) if is_named(&first.ty, "WorkflowCtx") => {
            let message = "the context is borrowed for the time of the run: write `&WorkflowCtx`";
            problems.at(&first.ty, message);
        }
        Some(first) => problems.at(first, message),
        None => problems.at(&signature.ident, message),
    }
}

fn no_result(kind: Kind) -> String {
    let (attribute, result) = match kind {
        Kind::Workflow => (kind.attribute(), "Result<()>"),
        Kind::Step => (kind.attribute(), "Result<(), StepError>"),
    };
    format!("`{attribute}` needs a `Result`: write `-> {result}` where there is nothing to return")
}

fn no_receiver(kind: Kind) -> String {
    let attribute = kind.attribute();
    let instead = "take shared values with `State<T>`";
    format!("`{attribute}` has no `self`: it starts from what is stored; {instead}")
}

/// Finds `impl Trait` in arguments, which is a generic by another name.
struct HiddenGenerics<'a>(&'a mut Problems);

impl<'ast> Visit<'ast> for HiddenGenerics<'_> {
    fn visit_type_impl_trait(&mut self, ty: &'ast syn::TypeImplTrait) {
        self.0.at(
            ty,
            "what is stored needs one type; name it in place of `impl Trait`",
        );
    }
}

struct Reader {
    kind: Kind,
    arguments: Vec<Argument>,
    ctx: Option<Ident>,
    input: Option<Type>,
}

impl Reader {
    fn read(&mut self, argument: &PatType, problems: &mut Problems) {
        let ty = &*argument.ty;
        let is_first = self.arguments.is_empty();
        let argument = if self.kind == Kind::Workflow && is_first {
            // A missing context was reported with the whole signature in view.
            self.ctx = ctx_name(&argument.pat, problems);
            Argument::Ctx
        } else if is_named(ty, "State") {
            Argument::State(Box::new(ty.clone()))
        } else if self.kind == Kind::Step && is_named(ty, "StepCtx") {
            Argument::StepCtx
        } else {
            self.read_input(ty, problems);
            Argument::Input
        };
        self.arguments.push(argument);
    }

    fn read_input(&mut self, ty: &Type, problems: &mut Problems) {
        if let Some(message) = self.refusal(ty) {
            problems.at(ty, message);
        } else if self.input.is_some() {
            let message = "there is one input; put both values into a struct that derives \
                           `Serialize`, `Deserialize` and `JsonSchema`, or take what is not \
                           stored with `State<T>`";
            problems.at(ty, message);
        } else {
            self.input = Some(ty.clone());
        }
    }

    fn refusal(&self, ty: &Type) -> Option<&'static str> {
        if is_ctx(ty) || is_named(ty, "WorkflowCtx") {
            return Some(match self.kind {
                Kind::Workflow => "a workflow has one context, its first argument",
                Kind::Step => {
                    "a step has no operations: it is one unit of side effect; call operations in \
                     the workflow, or take `StepCtx` for the attempt"
                }
            });
        }
        match ty {
            Type::Reference(borrowed) if is_named(&borrowed.elem, "StepCtx") => {
                Some("the step's context is passed by value: write `StepCtx`")
            }
            Type::Path(_) if is_named(ty, "StepCtx") => {
                Some("`StepCtx` belongs to step bodies: `ctx.step(name, async |step: StepCtx| ..)`")
            }
            Type::Reference(_) => {
                Some("the input is read from the store, so it is owned: take it without `&`")
            }
            _ => None,
        }
    }
}

fn ctx_name(pattern: &Pat, problems: &mut Problems) -> Option<Ident> {
    match pattern {
        Pat::Ident(name) => Some(name.ident.clone()),
        Pat::Wild(_) => None,
        _ => {
            problems.at(pattern, "give the context a plain name, such as `ctx`");
            None
        }
    }
}

fn is_ctx(ty: &Type) -> bool {
    matches!(ty, Type::Reference(borrowed) if is_named(&borrowed.elem, "WorkflowCtx"))
}

/// Whether the last part of the type's path is `name`.
fn is_named(ty: &Type, name: &str) -> bool {
    let Type::Path(path) = ty else {
        return false;
    };
    path.path
        .segments
        .last()
        .is_some_and(|last| last.ident == name)
}
